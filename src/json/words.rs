//! The service's words: enums that keep words which are not known yet.

/// Generates the conversions of an open enum: an enum of the service's words with
/// a variant `Other(String)` for words that are not known yet.
macro_rules! open_enum {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// The word that the service uses.
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $word,)*
                    $name::Other(word) => word,
                }
            }
        }

        /// Ignores case: the service has sent both.
        impl From<&str> for $name {
            fn from(word: &str) -> $name {
                $(if word.eq_ignore_ascii_case($word) {
                    return $name::$variant;
                })*
                $name::Other(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl miniserde::Serialize for $name {
            fn begin(&self) -> miniserde::ser::Fragment<'_> {
                miniserde::ser::Fragment::Str(self.as_str().into())
            }
        }

        impl miniserde::Deserialize for $name {
            fn begin(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                miniserde::make_place!(WordPlace);
                impl miniserde::de::Visitor for WordPlace<$name> {
                    fn string(&mut self, word: &str) -> miniserde::Result<()> {
                        self.out = Some($name::from(word));
                        Ok(())
                    }
                }
                WordPlace::new(out)
            }
        }

        impl crate::json::lenient::Lenient for $name {
            fn place(out: &mut Option<$name>) -> &mut dyn miniserde::de::Visitor {
                crate::json::lenient::nullable(out)
            }
        }

        crate::json::lenient::serde_impls!($name);
    };
}
pub(crate) use open_enum;
