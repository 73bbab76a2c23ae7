//! Each variant with fields gets one struct that borrows them, for writing, and one that owns them, for reading;
//! serde does the rest. Bindings have names that no field has.

use super::variant::{Payload, Variant, serde_attributes};
use crate::base::Base;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Field, Ident};

pub(crate) fn implementation(name: &Ident, base: &Base, variants: &[Variant<'_>]) -> TokenStream {
    let types = variants.iter().map(|Variant { event_type, version, .. }| quote!((#event_type, #version)));
    let type_arms = variants.iter().map(|v| arm(v, &v.event_type));
    let version_arms = variants.iter().map(|v| arm(v, v.version));
    let structs = variants.iter().map(|variant| structs(variant, base));
    let encode_arms = variants.iter().map(encode_arm);
    let decode_arms = variants.iter().map(decode_arm);
    // An enum without variants is matched through the reference, since it has no variant to match.
    quote! {
        const _: () = {
            use #base as __annals;
            #(#structs)*

            #[automatically_derived]
            impl __annals::Event for #name {
                const TYPES: &'static [(&'static str, u32)] = &[#(#types),*];

                fn event_type(&self) -> &'static str {
                    match *self { #(#type_arms)* }
                }
                fn schema_version(&self) -> u32 {
                    match *self { #(#version_arms)* }
                }
                fn encode(&self) -> __annals::Result<__annals::Bytes, __annals::CodecError> {
                    match *self { #(#encode_arms)* }
                }
                fn decode(
                    __event_type: &str,
                    __payload: &[u8],
                ) -> __annals::Result<__annals::Option<Self>, __annals::CodecError> {
                    match __event_type {
                        #(#decode_arms)*
                        _ => __annals::Result::Ok(__annals::Option::None),
                    }
                }
            }
        };
    }
}

fn arm(variant: &Variant<'_>, value: impl quote::ToTokens) -> TokenStream {
    let ident = variant.ident;
    quote!(Self::#ident { .. } => #value,)
}

fn borrowing(variant: &Variant<'_>) -> Ident {
    format_ident!("__{}Borrowed", variant.ident)
}

fn owning(variant: &Variant<'_>) -> Ident {
    format_ident!("__{}Owned", variant.ident)
}

fn structs(variant: &Variant<'_>, base: &Base) -> TokenStream {
    let serde_crate = base.serde();
    let (borrowing, owning, serde) = (borrowing(variant), owning(variant), &variant.serde);
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
    match &variant.payload {
        Payload::Empty => quote!(#reads struct #owning {}),
        Payload::Value(field) => {
            let (attributes, ty) = (serde_attributes(&field.attrs), &field.ty);
            quote! {
                #writes #[serde(transparent)] struct #borrowing<'__a>(#(#attributes)* &'__a #ty);
                #reads #[serde(transparent)] struct #owning(#(#attributes)* #ty);
            }
        }
        Payload::Object(fields) => {
            let borrowed = fields.iter().map(|field| named(field, quote!(&'__a)));
            let owned = fields.iter().map(|field| named(field, quote!()));
            quote! {
                #writes struct #borrowing<'__a> { #(#borrowed),* }
                #reads struct #owning { #(#owned),* }
            }
        }
    }
}

fn named(field: &Field, reference: TokenStream) -> TokenStream {
    let (attributes, name, ty) = (serde_attributes(&field.attrs), &field.ident, &field.ty);
    quote!(#(#attributes)* #name: #reference #ty)
}

fn encode_arm(variant: &Variant<'_>) -> TokenStream {
    let (ident, event_type, borrowing) = (variant.ident, &variant.event_type, borrowing(variant));
    let (pattern, value) = match &variant.payload {
        Payload::Empty => {
            return quote! {
                Self::#ident { .. } => __annals::Result::Ok(__annals::Bytes::from_static(b"{}")),
            };
        }
        Payload::Value(_) => (quote!((ref __value)), quote!((__value))),
        Payload::Object(fields) => {
            let names: Vec<_> = fields.iter().map(|field| &field.ident).collect();
            let bound: Vec<_> = (0..names.len()).map(|index| format_ident!("__field_{index}")).collect();
            (quote!({ #(#names: ref #bound),* }), quote!({ #(#names: #bound),* }))
        }
    };
    quote! {
        Self::#ident #pattern => match __annals::json::to_vec(&#borrowing #value) {
            __annals::Result::Ok(__json) => __annals::Result::Ok(__annals::Bytes::from(__json)),
            __annals::Result::Err(__error) => {
                __annals::Result::Err(__annals::CodecError::new(#event_type, __error))
            }
        },
    }
}

fn decode_arm(variant: &Variant<'_>) -> TokenStream {
    let (ident, event_type, owning) = (variant.ident, &variant.event_type, owning(variant));
    let fields = match &variant.payload {
        Payload::Empty => quote!({}),
        Payload::Value(_) => quote!((__owned.0)),
        Payload::Object(fields) => {
            let names = fields.iter().map(|field| &field.ident);
            let values = fields.iter().map(|field| &field.ident);
            quote!({ #(#names: __owned.#values),* })
        }
    };
    quote! {
        #event_type => match __annals::json::from_slice::<#owning>(__payload) {
            __annals::Result::Ok(__owned) => {
                __annals::Result::Ok(__annals::Option::Some(Self::#ident #fields))
            }
            __annals::Result::Err(__error) => {
                __annals::Result::Err(__annals::CodecError::new(#event_type, __error))
            }
        },
    }
}
