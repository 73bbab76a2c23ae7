//! Where the generated code finds what it needs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Path, Result, meta::ParseNestedMeta};

/// A module with everything that generated code uses.
pub(crate) struct Base(TokenStream);

impl Base {
    /// Reads `crate = path`, if that is what `meta` says.
    pub(crate) fn read(meta: &ParseNestedMeta<'_>) -> Result<Option<Self>> {
        if !meta.path.is_ident("crate") {
            return Ok(None);
        }
        let path = Path::parse_mod_style(meta.value()?)?;
        Ok(Some(Self(quote!(#path::__private))))
    }

    /// The path of its `serde`, as serde wants it.
    pub(crate) fn serde(&self) -> String {
        let path: String = self.0.to_string().split_whitespace().collect();
        format!("{path}::serde")
    }
}

impl Default for Base {
    fn default() -> Self {
        Self(quote!(::annals::__private))
    }
}

impl ToTokens for Base {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.0.to_tokens(tokens);
    }
}
