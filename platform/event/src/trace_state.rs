//! `tracestate`: what vendors note about a trace (W3C Trace Context, level 1, section 3.3).

/// Most members; a `tracestate` with more is discarded.
const MEMBERS_MAX: usize = 32;
/// Longest `tracestate` that is kept, in bytes: the specification's limit.
const STATE_BYTES_MAX: usize = 512;
/// Members longer than this, in bytes, are dropped first when the whole is too long.
const LONG_MEMBER_BYTES: usize = 128;
/// Longest name, and longest value, in bytes.
const PART_BYTES_MAX: usize = 256;
/// Longest vendor of a tenant's key, after the `@`, in bytes.
const VENDOR_BYTES_MAX: usize = 14;
/// Longest tenant of such a key, before the `@`, in bytes.
const TENANT_BYTES_MAX: usize = 241;

/// One `tracestate` from these headers, in their order; empty if there is none. One bad member discards them all and
/// a repeated one is dropped; if the whole is too long, long members go first, then the last ones.
pub(crate) fn join<H: AsRef<[u8]>>(headers: impl IntoIterator<Item = H>) -> String {
    let headers: Vec<H> = headers.into_iter().collect();
    let members = headers.iter().map(|header| std::str::from_utf8(header.as_ref()));
    let members: Option<Vec<&str>> = members.collect::<Result<_, _>>().ok();
    members.and_then(|headers| checked(&headers)).map(shortened).unwrap_or_default()
}

fn checked<'h>(headers: &[&'h str]) -> Option<Vec<&'h str>> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    let all =
        headers.iter().flat_map(|header| header.split(',')).map(|member| member.trim_matches([' ', '\t']));
    for (at, member) in all.filter(|member| !member.is_empty()).enumerate() {
        let (key, value) = member.split_once('=')?;
        if at >= MEMBERS_MAX || !is_key(key) || !is_value(value) {
            return None;
        }
        if members.iter().all(|(other, _)| *other != key) {
            members.push((key, member));
        }
    }
    Some(members.into_iter().map(|(_, member)| member).collect())
}

fn shortened(mut members: Vec<&str>) -> String {
    let bytes = |members: &[&str]| members.iter().map(|member| member.len().saturating_add(1)).sum::<usize>();
    while bytes(&members) > STATE_BYTES_MAX.saturating_add(1) {
        match members.iter().rposition(|member| member.len() > LONG_MEMBER_BYTES) {
            Some(long) => drop(members.remove(long)),
            None => drop(members.pop()),
        }
    }
    members.join(",")
}

/// `name`, or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let is_name = |name: &str, bytes_max: usize| {
        let legal = |c: u8| matches!(c, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        (1..=bytes_max).contains(&name.len()) && name.bytes().all(legal)
    };
    let begins_with_letter = |name: &str| name.starts_with(|c: char| c.is_ascii_lowercase());
    match key.split_once('@') {
        None => is_name(key, PART_BYTES_MAX) && begins_with_letter(key),
        Some((tenant, vendor)) => {
            let tenant_begins = tenant.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
            is_name(tenant, TENANT_BYTES_MAX)
                && tenant_begins
                && is_name(vendor, VENDOR_BYTES_MAX)
                && begins_with_letter(vendor)
        }
    }
}

/// Printable ASCII without `,` and `=`; the last character is not a space.
fn is_value(value: &str) -> bool {
    let legal = |c: u8| matches!(c, b' '..=b'~') && c != b',' && c != b'=';
    (1..=PART_BYTES_MAX).contains(&value.len()) && value.bytes().all(legal) && !value.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("v{number}=1")).collect()
    }

    #[test]
    fn several_headers_are_one_list_in_their_order() {
        assert_eq!(join(["a=1,b=2", "c=3"]), "a=1,b=2,c=3");
        assert_eq!(join(["a=1", "", " ,\t, b=2 \t"]), "a=1,b=2", "empty members and spaces around are none");
        assert_eq!(join::<&str>([]), "");
        assert_eq!(join(["a=1,b=2", "a=3"]), "a=1,b=2", "a vendor has one place");
    }

    #[test]
    fn more_than_32_members_are_none() {
        assert_eq!(join(numbered(32)).split(',').count(), 32);
        assert_eq!(join(numbered(33)), "");
        assert_eq!(join([numbered(16).join(","), numbered(17).join(",")]), "", "over all headers");
    }

    #[test]
    fn one_bad_member_makes_all_of_them_none() {
        let (long_key, long_value) = ("k".repeat(257), format!("a={}", "v".repeat(257)));
        for bad in [
            "a=1,=,b=2",
            "a=1,b",
            "A=1",
            "1a=1",
            "a b=1",
            "a =1",
            "a=",
            "a=1=2",
            "a=\u{7f}",
            "a=\u{e9}",
            "@v=1",
            "t@=1",
            "t@1v=1",
            "t@v@w=1",
            "-t@v=1",
            "tenant@a-name-too-long=1",
            &long_key,
            &long_value,
        ] {
            assert_eq!(join(["good=1", bad]), "", "{bad}");
        }
        assert_eq!(join([&b"a=1"[..], b"b=\xff"]), "");
        for good in ["a= 1", "0t@v=1", "a_-*/0=!~", "a@b=x y"] {
            assert_eq!(join([good]), good);
        }
        let longest = format!("{}={}", "k".repeat(256), "v".repeat(255));
        assert_eq!(join([&longest]), longest);
    }

    #[test]
    fn of_too_many_bytes_long_members_go_first_and_then_the_last() {
        let (long, short) = (format!("l={}", "v".repeat(200)), format!("={}", "v".repeat(100)));
        let state = join([format!("a{short},{long},b{short},c{short},d{short}")]);
        assert_eq!(state, format!("a{short},b{short},c{short},d{short}"));
        let state = join([format!("a{short},b{short},c{short},d{short},e{short}")]);
        assert_eq!(state, format!("a{short},b{short},c{short},d{short}"));
    }
}
