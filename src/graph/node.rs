//! The fields of a node: one table for their names, the reader and the writer.

/// Declares the enum of a node's fields, and generates the reader and the writer of the node:
/// see [`object`](crate::json::lenient::object). Each line is a field's documentation, its
/// variant, and its name in the struct and at the service.
macro_rules! node {
    (
        $(#[$docs:meta])*
        pub enum $fields:ident of $name:ident {
            $(#[$id_docs:meta])*
            Id = id,
            $($(#[$field_docs:meta])* $variant:ident = $field:ident $(in $data:ident)?,)*
        }
        $(then $check:ident)?
    ) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $fields {
            $(#[$id_docs])*
            Id,
            $($(#[$field_docs])* $variant,)*
        }

        impl $fields {
            pub(super) const ALL: &'static [$fields] = &[$fields::Id, $($fields::$variant),*];

            /// The name that the service uses.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $fields::Id => "id",
                    $($fields::$variant => stringify!($field),)*
                }
            }
        }

        impl AsRef<str> for $fields {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $fields {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $fields {
            type Err = crate::error::Error;

            /// Fails for a name that has no variant. To request it, use it as text.
            fn from_str(name: &str) -> crate::error::Result<$fields> {
                let field = $fields::ALL.iter().find(|field| field.as_str() == name);
                field.copied().ok_or_else(|| crate::error::Error::invalid(concat!(
                    "not the name of a ", stringify!($fields), ": request it as text"
                )))
            }
        }

        impl From<$fields> for crate::graph::fields::Fields {
            fn from(field: $fields) -> crate::graph::fields::Fields {
                crate::graph::fields::Fields::known(field.as_str())
            }
        }

        crate::json::lenient::object! {
            $name [id] { $($field $(in $data)?),* } $(then $check)?
        }
    };
}
pub(super) use node;

/// Declares the sets of fields that a node has: each with its documentation and its variants.
macro_rules! sets {
    ($fields:ident { $($(#[$docs:meta])* $name:ident = [$($field:ident)*];)* }) => {
        impl $fields {
            $($(#[$docs])* pub const $name: &'static [$fields] = &[$($fields::$field),*];)*
        }
    };
}
pub(super) use sets;

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::graph::comment::{Comment, CommentField};
    use crate::graph::media::{Media, MediaField};
    use crate::graph::user::{User, UserField};
    use crate::json::reader;
    use miniserde::json;

    /// Every name of a table: it parses, and the node reads and writes it. A value that
    /// suits its type is one of these.
    macro_rules! check {
        ($node:ident, $fields:ident) => {
            for field in $fields::ALL {
                let name = field.as_str();
                assert_eq!((field.as_ref(), field.to_string()), (name, name.to_owned()));
                assert_eq!(name.parse::<$fields>().unwrap(), *field);
                assert!(format!("{field:?}").to_lowercase() == name.replace('_', ""));
                let kept =
                    ["7", r#""7""#, "true", r#"{"id":"7"}"#, r#"{"data":[]}"#].map(|value| {
                        let text = match name {
                            "id" => format!(r#"{{"id":{value}}}"#),
                            _ => format!(r#"{{"id":"1","{name}":{value}}}"#),
                        };
                        reader::read::<$node>(&text)
                            .is_ok_and(|node| json::to_string(&node) == text)
                    });
                assert!(kept.contains(&true), "{name}");
            }
            for other in ["", "ID", "id ", "Caption", "mediaurl", "unheard_of"] {
                let error = other.parse::<$fields>().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                let what = concat!(
                    "not the name of a ",
                    stringify!($fields),
                    ": request it as text"
                );
                assert_eq!(error.to_string(), what);
            }
        };
    }

    #[test]
    fn each_name_parses_and_is_read_and_written() {
        check!(Media, MediaField);
        check!(User, UserField);
        check!(Comment, CommentField);
    }
}
