//! Elements by DOM calls, kept true by Leptos' signals: what changes is an effect of its own that ends with the part of the page that made it.
//! Leptos' `view!` makes a type of every piece of markup: here it took twice the bytes, and could put `innerHTML` into the glue, which Trusted
//! Types refuse. Text is made as text nodes; nothing here parses markup.
use leptos::prelude::*;
use std::borrow::Cow;
use std::collections::HashMap;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{Element, Event, HtmlElement, Node};

/// An element under construction. What goes wrong with the DOM here is left out of the page.
#[derive(Clone)]
pub struct El(HtmlElement);

/// The value of an attribute; `None` takes it away.
pub trait Value {
    fn value(self) -> Option<Cow<'static, str>>;
}
impl Value for &'static str {
    fn value(self) -> Option<Cow<'static, str>> {
        Some(self.into())
    }
}
impl Value for String {
    fn value(self) -> Option<Cow<'static, str>> {
        Some(self.into())
    }
}
impl Value for bool {
    fn value(self) -> Option<Cow<'static, str>> {
        Some(if self { "true" } else { "false" }.into())
    }
}
impl<V: Value> Value for Option<V> {
    fn value(self) -> Option<Cow<'static, str>> {
        self.and_then(V::value)
    }
}

pub fn el(tag: &'static str, class: &str) -> El {
    let element = document().create_element(tag).map(JsCast::unchecked_into);
    // `tag` is a constant of this page
    let el = El(element.unwrap_or_else(|_| JsValue::UNDEFINED.unchecked_into()));
    if class.is_empty() { el } else { el.attr("class", class) }
}
/// A paragraph.
pub fn p(class: &str) -> El {
    el("p", class)
}
/// A button that does something.
pub fn button(class: &str, test: &str, label: &str, go: impl FnMut() + 'static) -> El {
    el("button", class).attr("type", "button").test(test).text(label).click(go)
}
/// Sends a form.
pub fn submit(test: &str) -> El {
    el("button", "main").attr("type", "submit").test(test)
}
/// Decoration: the words stand beside it.
pub fn icon(path: &'static str) -> El {
    const SVG: Option<&str> = Some("http://www.w3.org/2000/svg");
    let make = |tag: &str, attributes: &[(&str, &str)]| {
        let element = document().create_element_ns(SVG, tag).ok()?;
        for (name, value) in attributes {
            let _ = element.set_attribute(name, value);
        }
        Some(element)
    };
    let svg = make("svg", &[("class", "icon"), ("viewBox", "0 0 24 24"), ("aria-hidden", "true")]);
    if let (Some(svg), Some(path)) = (&svg, make("path", &[("d", path)])) {
        let _ = svg.append_child(&path);
    }
    svg.map_or_else(|| el("span", ""), |svg| El(svg.unchecked_into()))
}

/// Runs now and whenever what it reads changes, as long as the part of the page that it belongs to.
pub fn live(f: impl FnMut() + 'static) {
    live_boxed(Box::new(f));
}
fn live_boxed(mut f: Box<dyn FnMut()>) {
    StoredValue::new_local(RenderEffect::new(move |_| f()));
}

impl El {
    /// What tests call it.
    pub fn test(self, name: &str) -> Self {
        self.attr("data-testid", name)
    }
    pub fn attr(self, name: &str, value: &str) -> Self {
        let _ = self.0.set_attribute(name, value);
        self
    }
    pub fn attr_if(self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value { self.attr(name, value) } else { self }
    }
    /// An attribute that changes.
    pub fn live<V: Value>(self, name: &'static str, f: impl Fn() -> V + 'static) -> Self {
        let element: Element = self.0.clone().into();
        live(move || {
            let _ = match f().value() {
                Some(value) => element.set_attribute(name, &value),
                None => element.remove_attribute(name),
            };
        });
        self
    }
    /// A property of its style, in pixels by `f`.
    pub fn style(self, name: &'static str, f: impl Fn() -> String + 'static) -> Self {
        let style = self.0.style();
        live(move || {
            let _ = style.set_property(name, &f());
        });
        self
    }
    pub fn text(self, text: &str) -> Self {
        let _ = self.0.append_child(&document().create_text_node(text));
        self
    }
    /// Words that change.
    pub fn live_text(self, f: impl Fn() -> String + 'static) -> Self {
        let node = document().create_text_node("");
        let _ = self.0.append_child(&node);
        live(move || node.set_data(&f()));
        self
    }
    /// What an input or a text area holds: typed and filled in by the browser, or set here.
    pub fn bind(self, value: RwSignal<String>) -> Self {
        let (into, from) = (self.0.clone(), self.0.clone());
        live(move || {
            let value = value.get();
            if input_value(&into) != value {
                let _ = js_sys::Reflect::set(&into, &"value".into(), &value.into());
            }
        });
        let read = move |_: Event| value.set(input_value(&from));
        self.on("input", read.clone()).on("change", read) // some fill in and tell only the latter
    }
    pub fn on(self, event: &str, f: impl FnMut(Event) + 'static) -> Self {
        self.on_boxed(event, Closure::new(f))
    }
    fn on_boxed(self, event: &str, f: Closure<dyn FnMut(Event)>) -> Self {
        let _ = self.0.add_event_listener_with_callback(event, f.as_ref().unchecked_ref());
        StoredValue::new_local(f); // as long as the part of the page
        self
    }
    pub fn click(self, mut f: impl FnMut() + 'static) -> Self {
        self.on("click", move |_| f())
    }
    pub fn add(self, child: El) -> Self {
        let _ = self.0.append_child(&child.0);
        self
    }
    pub fn add_all(self, children: impl IntoIterator<Item = El>) -> Self {
        children.into_iter().fold(self, El::add)
    }
    /// A part that comes, goes and is made anew with what it reads.
    pub fn when(self, f: impl Fn() -> Option<El> + 'static) -> Self {
        self.when_boxed(Box::new(f))
    }
    fn when_boxed(self, f: Box<dyn Fn() -> Option<El>>) -> Self {
        let end: Node = document().create_comment("").into();
        let _ = self.0.append_child(&end);
        let mut shown: Option<El> = None;
        live(move || {
            let new = f();
            if let Some(old) = shown.take() {
                old.0.remove();
            }
            if let (Some(new), Some(parent)) = (&new, end.parent_node()) {
                let _ = parent.insert_before(&new.0, Some(&end));
            }
            shown = new;
        });
        self
    }
    /// A part for each key, in their order; kept as long as its key is there. Nothing else may be in this element.
    pub fn each(self, keys: impl Fn() -> Vec<String> + 'static, row: impl Fn(&str) -> El + 'static) -> Self {
        self.each_boxed(Box::new(keys), Box::new(row))
    }
    fn each_boxed(self, keys: Box<dyn Fn() -> Vec<String>>, row: Box<dyn Fn(&str) -> El>) -> Self {
        let Some(outer) = Owner::current() else { return self };
        let list = self.0.clone();
        let mut rows: HashMap<String, (Owner, El)> = HashMap::new();
        live(move || {
            let keys = keys();
            rows.retain(|key, (owner, row)| {
                let stays = keys.contains(key);
                if !stays {
                    row.0.remove();
                    owner.cleanup();
                }
                stays
            });
            let mut next = list.first_child();
            for key in keys {
                let (_, El(element)) = rows.entry(key).or_insert_with_key(|key| {
                    let owner = outer.with(Owner::new);
                    let made = owner.with(|| untrack(|| row(key)));
                    (owner, made)
                });
                if next.as_ref().is_some_and(|next| next.is_same_node(Some(element))) {
                    next = element.next_sibling();
                } else {
                    let _ = list.insert_before(element, next.as_ref());
                }
            }
        });
        self
    }
    pub fn node(&self) -> HtmlElement {
        self.0.clone()
    }
}

pub fn input_value(element: &HtmlElement) -> String {
    js_sys::Reflect::get(element, &"value".into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
}

/// For style sheets, without the machinery that prints any number.
pub fn px(x: f64) -> String {
    let hundredths = (x * 100.0).round() as i64;
    let (sign, hundredths) = (if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs());
    format!("{sign}{}.{:02}px", hundredths / 100, hundredths % 100)
}

/// Runs when an element's size is known, and whenever it changes, as long as the part of the page.
pub fn on_resize(element: &HtmlElement, f: impl Fn() + 'static) {
    let changed = Closure::<dyn FnMut()>::new(f);
    let Ok(observer) = web_sys::ResizeObserver::new(changed.as_ref().unchecked_ref()) else { return };
    observer.observe(element);
    let watching = StoredValue::new_local((observer, changed));
    on_cleanup(move || {
        let _ = watching.try_with_value(|(observer, _)| observer.disconnect());
    });
}

pub fn focus_first(within: &Element, selector: &str) -> bool {
    let found = within.query_selector(selector).ok().flatten().and_then(|found| found.dyn_into::<HtmlElement>().ok());
    found.is_some_and(|found| found.focus().is_ok())
}
/// Anywhere in the page, when it is drawn.
pub fn focus_soon(selector: String) {
    request_animation_frame(move || {
        if let Some(root) = document().document_element() {
            focus_first(&root, &selector);
        }
    });
}
/// When it is drawn.
pub fn focus_me(element: HtmlElement) {
    request_animation_frame(move || {
        let _ = element.focus();
    });
}

/// Pixels of a rem.
pub fn root_font() -> f64 {
    document()
        .document_element()
        .and_then(|root| window().get_computed_style(&root).ok().flatten())
        .and_then(|style| style.get_property_value("font-size").ok())
        .map(|size| js_sys::parse_float(&size))
        .filter(|size| size.is_finite() && *size > 0.0)
        .unwrap_or(16.0)
}
