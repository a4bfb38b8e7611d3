//! One Rust file, reduced to what the rules need to know.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function outside test code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Name.
    pub name: String,
    /// Line of its signature.
    pub line: usize,
    /// Lines from signature to closing brace.
    pub lines: usize,
    /// Whether an attribute says that it is long on purpose.
    pub exempt: bool,
}

/// What the rules need to know of a file.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Path relative to the checkout.
    pub file: String,
    /// Whether all of it is test code.
    pub is_test: bool,
    /// Whether it opens with a `//!` text.
    pub has_head: bool,
    /// Lines that are no test code.
    pub lines: usize,
    /// Functions outside test code.
    pub functions: Vec<Function>,
    /// Lines with the word `unsafe`, macros included.
    pub unsafe_lines: Vec<usize>,
    /// Lines where a feature decides inside logic.
    pub feature_lines: Vec<usize>,
    /// Imported or written paths that can touch a register: line and path.
    pub register_paths: Vec<(usize, String)>,
}

impl Source {
    /// Reads a file.
    pub fn parse(file: &str, text: &str) -> syn::Result<Self> {
        let tree = syn::parse_file(text)?;
        let is_test = is_test_file(file);
        let mut source = Self {
            file: file.to_owned(),
            is_test,
            has_head: tree.attrs.iter().any(|attr| attr.path().is_ident("doc")),
            ..Self::default()
        };
        let mut reader = Reader {
            source: &mut source,
            test_lines: 0,
        };
        reader.visit_file(&tree);
        let test_lines = reader.test_lines;
        source.lines = match is_test {
            true => 0,
            false => text.lines().count() - test_lines,
        };
        let tokens: TokenStream = text.parse()?;
        walk(tokens, &mut source);
        Ok(source)
    }
}

/// `tests.rs` beside its module, or below a crate's `tests` directory.
fn is_test_file(file: &str) -> bool {
    let mut parts: Vec<_> = file.split('/').collect();
    let name = parts.pop().unwrap_or_default();
    name == "tests.rs" || parts.iter().skip(1).any(|part| *part == "tests")
}

/// Collects what depends on the syntax tree.
struct Reader<'a> {
    source: &'a mut Source,
    test_lines: usize,
}

impl Reader<'_> {
    fn function(&mut self, sig: &syn::Signature, attrs: &[syn::Attribute], end: usize) {
        if self.source.is_test || is_test_item(attrs) {
            return;
        }
        let line = sig.span().start().line;
        self.source.functions.push(Function {
            name: sig.ident.to_string(),
            line,
            lines: end + 1 - line,
            exempt: attrs.iter().any(|attr| mentions(attr, "too_many_lines")),
        });
    }

    fn feature(&mut self, attr: &syn::Attribute) {
        let decides = attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr");
        if decides && mentions(attr, "feature") {
            self.source.feature_lines.push(attr.span().start().line);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs = item_attrs(item);
        if is_test_item(attrs) {
            let span = item.span();
            self.test_lines += span.end().line + 1 - span.start().line;
            return;
        }
        // A whole module or its re-export may depend on a feature; logic may not.
        if !matches!(item, syn::Item::Mod(_) | syn::Item::Use(_)) {
            for attr in attrs {
                self.feature(attr);
            }
        }
        if let syn::Item::Fn(function) = item {
            let end = function.block.span().end().line;
            self.function(&function.sig, &function.attrs, end);
            visit::visit_block(self, &function.block);
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        for attr in &function.attrs {
            self.feature(attr);
        }
        let end = function.block.span().end().line;
        self.function(&function.sig, &function.attrs, end);
        visit::visit_block(self, &function.block);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        for attr in &function.attrs {
            self.feature(attr);
        }
        if let Some(block) = &function.default {
            self.function(&function.sig, &function.attrs, block.span().end().line);
            visit::visit_block(self, block);
        }
    }

    fn visit_stmt(&mut self, stmt: &'ast syn::Stmt) {
        if let syn::Stmt::Local(local) = stmt {
            for attr in &local.attrs {
                self.feature(attr);
            }
        }
        visit::visit_stmt(self, stmt);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        for attr in &field.attrs {
            self.feature(attr);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        for attr in &arm.attrs {
            self.feature(attr);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.is_ident("cfg") && has_word(&call.tokens, "feature") {
            self.source.feature_lines.push(call.span().start().line);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.span().start().line;
        let mut paths = Vec::new();
        flatten(&item.tree, String::new(), &mut paths);
        for path in paths {
            if touches_registers(&path) {
                self.source.register_paths.push((line, path));
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|seg| seg.ident.to_string())
            .collect();
        let joined = names.join("::");
        if names.len() > 1 && touches_registers(&joined) {
            self.source
                .register_paths
                .push((path.span().start().line, joined));
        }
        visit::visit_path(self, path);
    }
}

fn item_attrs(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

fn is_test_item(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        attr.path().is_ident("test")
            || (attr.path().is_ident("cfg") && mentions(attr, "test") && !mentions(attr, "not"))
    })
}

fn mentions(attr: &syn::Attribute, word: &str) -> bool {
    match &attr.meta {
        syn::Meta::List(list) => has_word(&list.tokens, word),
        _ => false,
    }
}

fn has_word(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => has_word(&group.stream(), word),
        _ => false,
    })
}

/// Every path of a `use`, written out.
fn flatten(tree: &syn::UseTree, prefix: String, paths: &mut Vec<String>) {
    let join = |name: &dyn std::fmt::Display| match prefix.is_empty() {
        true => name.to_string(),
        false => format!("{prefix}::{name}"),
    };
    match tree {
        syn::UseTree::Path(path) => flatten(&path.tree, join(&path.ident), paths),
        syn::UseTree::Name(name) => paths.push(join(&name.ident)),
        syn::UseTree::Rename(rename) => paths.push(join(&rename.ident)),
        syn::UseTree::Glob(_) => paths.push(join(&"*")),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, prefix.clone(), paths);
            }
        }
    }
}

/// Whether a path brings register access into reach. The register crates make
/// a write a safe function, so the compiler does not help here.
fn touches_registers(path: &str) -> bool {
    let parts: Vec<_> = path.split("::").collect();
    match parts.as_slice() {
        ["aarch64_cpu", "asm", ..] | ["arm_sysregs", ..] => true,
        ["aarch64_cpu", "registers", rest @ ..] | ["tock_registers", "interfaces", rest @ ..] => {
            rest.last()
                .is_some_and(|last| ["*", "Readable", "Writeable", "ReadWriteable"].contains(last))
        }
        _ => false,
    }
}

/// Collects the lines with unsafe code, inside macros too: the word itself,
/// assembly outside functions, and a module that opts in for what a macro of
/// another module expands to.
fn walk(tokens: TokenStream, source: &mut Source) {
    let mut opts_in = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if ident == "unsafe" || ident == "global_asm" {
                    source.unsafe_lines.push(ident.span().start().line);
                }
                opts_in = ident == "expect" || ident == "allow";
            }
            TokenTree::Group(group) => {
                if opts_in && has_word(&group.stream(), "unsafe_code") {
                    source.unsafe_lines.push(group.span().start().line);
                }
                walk(group.stream(), source);
                opts_in = false;
            }
            _ => opts_in = false,
        }
    }
}
