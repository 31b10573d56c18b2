//! The lead plane's side of learned pages: reads the copies, remembers, hands what changed to the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::pages::PageWatch;
use super::{IntakeStats, Reports};
use crate::consent::banner_in;
use crate::exchange::UnixMillis;
use crate::form::page::{KnownPages, Learned, LearnedPages, Page, page_number_of_url};
use crate::outbox::{Outbox, PageRow};
use crate::proxy::hooks::PageCopy;

/// What is known of the site's pages.
pub struct Learning {
    watch: Arc<PageWatch>,
    pages: LearnedPages,
    stats: Arc<IntakeStats>,
}

impl Learning {
    /// With what an earlier run had learned.
    pub fn resume(watch: Arc<PageWatch>, outbox: &Outbox, stats: Arc<IntakeStats>) -> Self {
        let mut pages = LearnedPages::default();
        match outbox.pages_blocking() {
            Ok(rows) => {
                for row in rows {
                    // What an older version stored and this one cannot read is learned again.
                    if let Some(forms) = &row.forms {
                        pages.restore(&row.key, &row.host, forms, row.at);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the forms of the site's pages could not be read and are learned anew");
            }
        }
        stats.pages_known.store(pages.len() as u64, Ordering::Relaxed);
        Self { watch, pages, stats }
    }

    /// What decisions look things up in.
    pub fn known(&self) -> &dyn KnownPages {
        &self.pages
    }

    /// Reads a page. A panic in a parser costs that page.
    pub fn learn(&mut self, copy: &PageCopy, outbox: &Outbox, reports: &Reports) {
        let started = Instant::now();
        let read = catch_unwind(AssertUnwindSafe(|| {
            let mut page = Page::of_answer(&copy.body, &copy.content_type, &copy.content_encoding)?;
            // A banner that no cookie shows: the operator is told what to do about it.
            std::mem::take(&mut page.scripts)
                .iter()
                .filter_map(|src| banner_in(src))
                .for_each(|found| reports.saw_banner(found));
            let has_forms = !page.forms.is_empty();
            self.remember(copy, page, outbox);
            Some(has_forms)
        }));
        let has_forms = read.unwrap_or_else(|_| {
            self.stats.panics.fetch_add(1, Ordering::Relaxed);
            None
        });
        let took = started.elapsed();
        self.watch.has_read(copy.ticket.number, has_forms == Some(true), took);
        self.stats.pages_read.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.stats.pages_micros.fetch_add(micros, Ordering::Relaxed);
        self.stats.pages_known.store(self.pages.len() as u64, Ordering::Relaxed);
    }

    fn remember(&mut self, copy: &PageCopy, page: Page, outbox: &Outbox) {
        let (key, host, at) = (&copy.ticket.key, &copy.ticket.host, UnixMillis::now());
        let forms = match self.pages.learn(key, host, page, at) {
            Learned::Same => return,
            Learned::Changed(forms) => Some(forms),
            Learned::Gone => None,
        };
        outbox.keep_page(PageRow { key: key.clone(), host: host.clone(), at, forms });
    }

    /// A submission showed that a page is not known well enough: it is read at the next opportunity.
    pub fn forget(&self, page_url: &str) {
        self.watch.forget(page_number_of_url(page_url));
    }

    /// A submission has left the queue.
    pub fn submission_taken(&self) {
        self.watch.count_submission(false);
    }
}
