//! What the derives refuse, and what they say. `TRYBUILD=overwrite cargo test -p annals --test compile_fail` writes the
//! messages anew; read them before you commit them.

#[test]
fn a_derive_that_is_used_wrongly_says_what_to_change() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}
