//! A struct's implementation: one struct that borrows its fields, for writing, and one that owns them, for reading;
//! serde does the rest. The struct itself needs neither `Serialize` nor `Deserialize`.

use super::{
    declared::{Declared, Payload},
    in_scope, serde_of,
};
use proc_macro2::TokenStream;
use quote::quote;
use syn::Field;

pub(crate) fn implementation(declared: &Declared<'_>) -> TokenStream {
    let Declared { ident, stored, .. } = declared;
    let (event_type, version) = (&stored.event_type, stored.version);
    let (forms, encode, decode) = (forms(declared), encode(declared), decode(declared));
    let (tags, upcast) = (tags(declared), upcast(declared));
    let items = quote! {
        #forms

        #[automatically_derived]
        impl __annals::Event for #ident {
            const TYPES: &'static [(&'static str, u32)] = &[(#event_type, #version)];

            fn event_type(&self) -> &'static str {
                #event_type
            }
            fn schema_version(&self) -> u32 {
                #version
            }
            fn encode(&self) -> __annals::Result<__annals::Bytes, __annals::CodecError> {
                #encode
            }
            fn decode(
                __event_type: &str,
                __payload: &[u8],
            ) -> __annals::Result<__annals::Option<Self>, __annals::CodecError> {
                if __event_type != #event_type {
                    return __annals::Result::Ok(__annals::Option::None);
                }
                #decode
            }
            #tags
            #upcast
        }
    };
    in_scope(&stored.base, &items)
}

/// `__Borrowed` and `__Owned`.
fn forms(declared: &Declared<'_>) -> TokenStream {
    let (serde_crate, serde) = (declared.stored.base.serde(), &declared.serde);
    let writes = quote! {
        #[derive(__annals::serde::Serialize)]
        #[serde(crate = #serde_crate)]
        #(#serde)*
    };
    let reads = quote! {
        #[derive(__annals::serde::Deserialize)]
        #[serde(crate = #serde_crate)]
        #(#serde)*
    };
    match &declared.payload {
        Payload::Empty => quote!(#reads struct __Owned {}),
        Payload::Value(field) => {
            let (attributes, ty) = (serde_of(&field.attrs), &field.ty);
            quote! {
                #writes #[serde(transparent)] struct __Borrowed<'__a>(#(#attributes)* &'__a #ty);
                #reads #[serde(transparent)] struct __Owned(#(#attributes)* #ty);
            }
        }
        Payload::Object(fields) => {
            let borrowed = fields.iter().map(|field| form(field, quote!(&'__a)));
            let owned = fields.iter().map(|field| form(field, quote!()));
            quote! {
                #writes struct __Borrowed<'__a> { #(#borrowed),* }
                #reads struct __Owned { #(#owned),* }
            }
        }
    }
}

fn form(field: &Field, reference: TokenStream) -> TokenStream {
    let (attributes, name, ty) = (serde_of(&field.attrs), &field.ident, &field.ty);
    quote!(#(#attributes)* #name: #reference #ty)
}

fn encode(declared: &Declared<'_>) -> TokenStream {
    let names = declared.payload.names();
    let value = match &declared.payload {
        Payload::Empty => return quote!(__annals::Result::Ok(__annals::Bytes::from_static(b"{}"))),
        Payload::Value(_) => quote!(__Borrowed(&self.0)),
        Payload::Object(_) => quote!(__Borrowed { #(#names: &self.#names),* }),
    };
    let event_type = &declared.stored.event_type;
    quote! {
        match __annals::json::to_vec(&#value) {
            __annals::Result::Ok(__json) => __annals::Result::Ok(__annals::Bytes::from(__json)),
            __annals::Result::Err(__error) => {
                __annals::Result::Err(__annals::CodecError::new(#event_type, __error))
            }
        }
    }
}

fn decode(declared: &Declared<'_>) -> TokenStream {
    let names = declared.payload.names();
    let value = match &declared.payload {
        Payload::Empty => quote!(Self {}),
        Payload::Value(_) => quote!(Self(__owned.0)),
        Payload::Object(_) => quote!(Self { #(#names: __owned.#names),* }),
    };
    let event_type = &declared.stored.event_type;
    quote! {
        match __annals::json::from_slice::<__Owned>(__payload) {
            __annals::Result::Ok(__owned) => __annals::Result::Ok(__annals::Option::Some(#value)),
            __annals::Result::Err(__error) => {
                __annals::Result::Err(__annals::CodecError::new(#event_type, __error))
            }
        }
    }
}

fn tags(declared: &Declared<'_>) -> TokenStream {
    if declared.tags.is_empty() {
        return TokenStream::new();
    }
    let event_type = &declared.stored.event_type;
    let pushes = declared.tags.iter().map(super::tags::TagField::push);
    quote! {
        fn tags(&self) -> __annals::Result<__annals::Vec<__annals::Tag>, __annals::CodecError> {
            let mut __tags = __annals::Tags::of(#event_type);
            #(#pushes)*
            __annals::Result::Ok(__tags.finish())
        }
    }
}

fn upcast(declared: &Declared<'_>) -> TokenStream {
    if declared.upcasts.is_empty() {
        return TokenStream::new();
    }
    let (event_type, arms) = (&declared.stored.event_type, declared.upcasts.arms());
    quote! {
        fn upcast(
            __event_type: &str,
            __from: u32,
            __payload: __annals::json::Json,
        ) -> __annals::Result<__annals::json::Json, __annals::CodecError> {
            let mut __upcast = __annals::Upcast::of(__event_type, __from, __payload);
            if __event_type != #event_type {
                return __annals::Result::Err(__upcast.missing());
            }
            match __from {
                #(#arms)*
                _ => return __annals::Result::Err(__upcast.missing()),
            }
            __annals::Result::Ok(__upcast.finish())
        }
    }
}
