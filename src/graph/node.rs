//! Reading and writing nodes.

use crate::json::lenient::Entries;
use miniserde::Serialize;
use miniserde::ser::Fragment;

/// Generates the reader and the writer of a node: a struct with a required `id`, optional
/// fields named like the service's keys, and perhaps a list of nested nodes. The reader
/// fills the fields in place, and the writer omits absent ones.
macro_rules! node {
    ($name:ident, $reader:ident { $($field:ident,)* } $($nested:ident: $wire:ty)?) => {
        const _: () = {
            #[allow(unused_imports, reason = "only for nested nodes")]
            use crate::graph::node::Data;
            use crate::graph::node::is;
            use crate::json::lenient::{Entries, Lenient, required};
            use miniserde::de::{Deserialize, Map, Visitor};
            use miniserde::ser::Fragment;
            use miniserde::{Result, Serialize, make_place};

            make_place!(Place);

            impl Deserialize for $name {
                fn begin(out: &mut Option<$name>) -> &mut dyn Visitor {
                    Place::new(out)
                }
            }

            impl Visitor for Place<$name> {
                fn map(&mut self) -> Result<Box<dyn Map + '_>> {
                    Ok(Box::new($reader::new(&mut self.out)))
                }
            }

            impl<'a> $reader<'a> {
                fn new(out: &'a mut Option<$name>) -> Self {
                    let node = out.insert(<$name as Default>::default());
                    $reader { node, id: None, $($nested: None)? }
                }
            }

            impl Map for $reader<'_> {
                fn key(&mut self, key: &str) -> Result<&mut dyn Visitor> {
                    Ok(match key {
                        _ if is(key, "id") => Lenient::place(&mut self.id),
                        $(_ if is(key, stringify!($field)) => Lenient::place(&mut self.node.$field),)*
                        $(_ if is(key, stringify!($nested)) => Lenient::place(&mut self.$nested),)?
                        _ => <dyn Visitor>::ignore(),
                    })
                }

                fn finish(&mut self) -> Result<()> {
                    self.node.id = required(self.id.take(), "id")?;
                    $(self.node.$nested = self.$nested.take().map(Into::into).unwrap_or_default();)?
                    Ok(())
                }
            }

            impl Serialize for $name {
                fn begin(&self) -> Fragment<'_> {
                    let mut entries: Vec<(&'static str, Box<dyn Serialize + '_>)> =
                        vec![("id", Box::new(&self.id))];
                    $(if let Some(value) = &self.$field {
                        entries.push((stringify!($field), Box::new(value)));
                    })*
                    $(if !self.$nested.is_empty() {
                        entries.push((stringify!($nested), Box::new(crate::graph::node::Data(&self.$nested))));
                    })?
                    Entries::new(entries).fragment()
                }
            }
        };

        crate::json::lenient::serde_impls!($name);

        /// Fields that are required, or of another type in JSON, are kept here.
        struct $reader<'a> {
            node: &'a mut $name,
            id: Option<String>,
            $($nested: Option<$wire>,)?
        }
    };
}
pub(super) use node;

/// Compares the lengths first, and inline: optimised for size, `==` is a function.
#[inline(always)]
pub(super) fn is(key: &str, name: &str) -> bool {
    key.len() == name.len() && key == name
}

/// `{"data":[…]}`
pub(super) struct Data<'a, T>(pub(super) &'a Vec<T>);

impl<T: Serialize> Serialize for Data<'_, T> {
    fn begin(&self) -> Fragment<'_> {
        Entries::new(vec![("data", Box::new(self.0))]).fragment()
    }
}
