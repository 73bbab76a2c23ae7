//! An enum that adds up event types: each variant holds one that a struct declares, or another such enum.

use super::{add, in_scope, said::base_of};
use crate::base::Base;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use std::collections::HashSet;
use syn::{DataEnum, DeriveInput, Error, Fields, Ident, Result, Type, Variant};

/// An enum, its variants and the event that each one holds.
pub(crate) struct Sum<'a> {
    ident: &'a Ident,
    base: Base,
    variants: Vec<(&'a Ident, &'a Type)>,
}

impl<'a> Sum<'a> {
    pub(crate) fn read(input: &'a DeriveInput, data: &'a DataEnum) -> Result<Self> {
        let (mut variants, mut errors) = (Vec::new(), None);
        for variant in &data.variants {
            match held(variant) {
                Ok(event) => variants.push((&variant.ident, event)),
                Err(error) => add(&mut errors, error),
            }
        }
        match errors {
            None => Ok(Self { ident: &input.ident, base: base_of(input)?, variants }),
            Some(errors) => Err(errors),
        }
    }
}

/// The event in the variant.
fn held(variant: &Variant) -> Result<&Type> {
    let name = &variant.ident;
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 && variant.attrs.iter().all(is_not_ours) => {
            fields.unnamed.first().map(|field| &field.ty).ok_or_else(|| Error::new_spanned(variant, ""))
        }
        _ => {
            let wrong = format!(
                "variant `{name}` holds one event and says nothing of it: declare #[derive(Event)] #[event(type = \"...\", version \
                 = 1)] struct {name} {{ .. }}, and write {name}({name}) here"
            );
            Err(Error::new(name.span(), wrong))
        }
    }
}

fn is_not_ours(attribute: &syn::Attribute) -> bool {
    !attribute.path().is_ident("event")
}

impl Sum<'_> {
    /// The implementation of `Event`, and a `From` of each event that one variant holds.
    pub(crate) fn implementation(&self) -> TokenStream {
        let ident = self.ident;
        let events = self.variants.iter().map(|(_, event)| event);
        let event_type = self.each(quote!(event_type), quote!());
        let schema_version = self.each(quote!(schema_version), quote!());
        let content_type = self.each(quote!(content_type), quote!());
        let (encode, tags) = (self.each(quote!(encode), quote!()), self.each(quote!(tags), quote!()));
        let (reading, conversions) = (self.reading(), self.conversions());
        let items = quote! {
            #[automatically_derived]
            impl __annals::Event for #ident {
                const TYPES: &'static [(&'static str, u32)] = {
                    const PARTS: &[&[(&str, u32)]] = &[#(<#events as __annals::Event>::TYPES),*];
                    const ALL: [(&str, u32); __annals::count(PARTS)] = __annals::join(PARTS);
                    &ALL
                };

                fn event_type(&self) -> &'static str {
                    #event_type
                }
                fn schema_version(&self) -> u32 {
                    #schema_version
                }
                fn content_type(&self) -> __annals::ContentType {
                    #content_type
                }
                fn encode(&self) -> __annals::Result<__annals::Bytes, __annals::CodecError> {
                    #encode
                }
                fn tags(&self) -> __annals::Result<__annals::Vec<__annals::Tag>, __annals::CodecError> {
                    #tags
                }
                #reading
            }
            #conversions
        };
        in_scope(&self.base, &items)
    }

    /// The functions of `Event` that make one of what is stored.
    fn reading(&self) -> TokenStream {
        let (decode, upcast) = (self.decode(), self.upcast());
        quote! {
            fn decode(
                __event_type: &str,
                __payload: &[u8],
            ) -> __annals::Result<__annals::Option<Self>, __annals::CodecError> {
                #decode
                __annals::Result::Ok(__annals::Option::None)
            }
            fn upcast(
                __event_type: &str,
                __from: u32,
                __payload: __annals::json::Json,
            ) -> __annals::Result<__annals::json::Json, __annals::CodecError> {
                #upcast
                __annals::Result::Err(__annals::Upcast::of(__event_type, __from, __payload).missing())
            }
        }
    }

    /// A method of the event that is held. An enum without variants is matched through the reference, since it has no
    /// variant to match.
    fn each(&self, method: TokenStream, arguments: TokenStream) -> TokenStream {
        let arms = self.variants.iter().map(|(variant, event)| {
            quote!(Self::#variant(ref __event) => <#event as __annals::Event>::#method(__event, #arguments),)
        });
        quote!(match *self { #(#arms)* })
    }

    fn decode(&self) -> TokenStream {
        self.of_the_type(|variant, event| {
            quote! {
                let __decoded = <#event as __annals::Event>::decode(__event_type, __payload)?;
                return __annals::Result::Ok(__decoded.map(Self::#variant));
            }
        })
    }

    fn upcast(&self) -> TokenStream {
        self.of_the_type(
            |_, event| quote!(return <#event as __annals::Event>::upcast(__event_type, __from, __payload);),
        )
    }

    /// Statements for each event, run where it knows `__event_type`.
    fn of_the_type(&self, then: impl Fn(&Ident, &Type) -> TokenStream) -> TokenStream {
        let each = self.variants.iter().map(|(variant, event)| {
            let then = then(variant, event);
            quote!(if <#event as __annals::Event>::knows(__event_type) { #then })
        });
        quote!(#(#each)*)
    }

    fn conversions(&self) -> TokenStream {
        let (ident, mut seen) = (self.ident, HashSet::new());
        let written = |event: &Type| event.to_token_stream().to_string();
        let twice: HashSet<String> = self
            .variants
            .iter()
            .map(|(_, event)| written(event))
            .filter(|event| !seen.insert(event.clone()))
            .collect();
        let once = self.variants.iter().filter(|(_, event)| !twice.contains(&written(event)));
        let each = once.map(|(variant, event)| {
            quote! {
                #[automatically_derived]
                impl __annals::From<#event> for #ident {
                    fn from(__event: #event) -> Self {
                        Self::#variant(__event)
                    }
                }
            }
        });
        quote!(#(#each)*)
    }
}
