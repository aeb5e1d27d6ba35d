//! What all pages share: head, style, the way back, the foot. The style stands in the page, and the content security
//! policy names its hash, so that no other style and no script has any effect.

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::markup::{Html, Link};
use super::view::View;
use crate::failure::Failure;
use crate::ui::amount;

const STYLE: &str = include_str!("style.css");

/// The content security policy: this page's own style, an empty icon, and nothing else.
pub(super) fn policy() -> HeaderValue {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy)
        .unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// A page: what its tab is called, the steps that lead back, its content.
pub(super) fn page(
    view: &View,
    title: &str,
    back: &[(&str, Link)],
    content: impl FnOnce(&mut Html),
) -> String {
    let foot = format!(
        "{} · as of {}",
        crate::session::repository::PROGRAM,
        amount::moment(view.now)
    );
    whole(title, back, &foot, |html| {
        if let Some(why) = &view.stale {
            html.element(
                "p",
                &[("class", "banner late"), ("role", "status")],
                |html| {
                    html.text("The repository does not answer, and this page may be old: ");
                    html.text(why);
                },
            );
        }
        content(html);
    })
}

fn whole(
    title: &str,
    back: &[(&str, Link)],
    foot: &str,
    content: impl FnOnce(&mut Html),
) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><link rel=\"icon\" href=\"data:,\"><title>");
    html.text(title);
    html.raw("</title><style>");
    html.raw(STYLE);
    html.raw("</style></head><body>");
    html.element("header", &[], |html| {
        html.element("nav", &[("aria-label", "Where this is")], |html| {
            html.element("ol", &[("class", "back")], |html| {
                html.element("li", &[], |html| {
                    html.link(&Link::new("/"), |html| html.words("strong", "", "mlark"))
                });
                for (name, link) in back {
                    html.element("li", &[], |html| html.link(link, |html| html.name(name)));
                }
            });
        });
    });
    html.element("main", &[], content);
    html.element("footer", &[], |html| html.text(foot));
    html.raw("</body></html>\n");
    html.into_text()
}

/// The daemon has not read the repository yet.
pub(super) fn starting() -> String {
    whole("mlark is starting", &[], "", |html| {
        html.words("h1", "", "mlark is starting");
        html.words(
            "p",
            "",
            "The repository is being read. Load this page again in a moment.",
        );
    })
}

/// There is no such page.
pub(super) fn unknown() -> String {
    whole("Not found", &[], "", |html| {
        html.words("h1", "", "Nothing is here");
        html.words(
            "p",
            "",
            "The address is wrong, or the snapshot was forgotten.",
        );
    })
}

/// Something cannot be read.
pub(super) fn failed(failure: &Failure) -> String {
    whole("mlark cannot show this", &[], "", |html| {
        html.words("h1", "", "This cannot be shown");
        html.words("p", "", &failure.sentence());
        if let Some(next) = &failure.next {
            next_step(html, next);
        }
    })
}

/// What to type next.
pub(super) fn next_step(html: &mut Html, next: &str) {
    html.element("p", &[("class", "next")], |html| {
        html.words("span", "", "Next: ");
        html.words("code", "", next);
    });
}
