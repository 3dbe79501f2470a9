//! Store URLs as they are shown: as they were given, but for the password.

/// The URL without what stands between the user and the host.
pub(crate) fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(authority);
    let hosts = match authority.rsplit_once('@') {
        Some((login, hosts)) => {
            let user = login.split_once(':').map_or(login, |(user, _)| user);
            format!("{user}@{hosts}")
        }
        None => authority.to_owned(),
    };
    format!("{scheme}://{hosts}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_left_out() {
        for (url, expected) in [
            ("memory:", "memory:"),
            (
                "file:///a@b:c@d?capacity=1GB",
                "file:///a@b:c@d?capacity=1GB",
            ),
            ("redis://h/1?prefix=a", "redis://h/1?prefix=a"),
            ("redis://:s3cret@h:6379/1", "redis://@h:6379/1"),
            ("redis://ann:s3:c@ret@h?prefix=a", "redis://ann@h?prefix=a"),
            ("memcached://ann:s3cret@a:1,b:2", "memcached://ann@a:1,b:2"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
