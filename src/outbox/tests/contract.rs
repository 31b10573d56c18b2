//! What is promised of every kind of store. Time is what the methods are told, so nothing here sleeps.

mod deliveries;
mod erasure;
mod held;
mod inspector;
mod memory;
mod seen;
mod shared;
mod sweep;

/// Every promise as a test of one kind: the name of the module, how one is made, and the marks of its tests.
macro_rules! contract {
    ($kind:ident, $make:expr, $mark:tt) => {
        mod $kind {
            contract! { @tests $make, $mark,
                seen: a_submission_is_new_once_and_then_a_duplicate_of_the_first;
                seen: a_full_store_takes_all_of_a_batch_or_nothing;
                seen: what_was_seen_is_forgotten_after_48_hours_and_not_before;
                seen: an_id_that_an_earlier_event_has_is_not_given_to_another_even_days_later;
                seen: events_of_different_names_may_have_one_id;
                seen: the_id_of_what_an_operator_dropped_is_not_given_again;
                deliveries: what_is_handed_out_is_not_handed_out_again_until_it_is_settled_or_the_process_died;
                deliveries: an_attempt_counts_and_leaves_doubt_as_it_is_told;
                deliveries: an_event_without_user_data_comes_alone_and_last;
                deliveries: every_pixel_has_a_delivery_of_its_own;
                deliveries: the_newest_come_first_or_the_oldest;
                deliveries: a_batch_is_bounded_by_count_and_by_bytes;
                deliveries: the_next_one_is_due_when_the_first_of_those_that_wait_is;
                deliveries: a_clock_that_jumped_back_does_not_put_anything_to_sleep;
                deliveries: a_changed_event_is_what_is_sent_from_then_on;
                deliveries: a_settlement_for_an_unknown_id_harms_nothing;
                deliveries: a_settlement_is_never_taken_for_that_of_a_later_delivery;
                deliveries: only_meta_having_it_changes_what_has_ended_meanwhile;
                erasure: contact_hashes_are_gone_once_everybody_has_the_event;
                erasure: a_changed_events_old_hashes_are_gone;
                erasure: a_dead_letter_keeps_its_event_for_a_retry;
                erasure: a_withdrawal_ends_what_waits_of_one_browser_and_what_is_on_its_way_is_not_tried_again;
                erasure: a_withdrawal_spares_what_meta_has_and_ends_the_rest;
                erasure: an_erasure_request_finds_an_address_wherever_it_waits;
                held: a_submission_waits_once_and_is_not_sent_before_its_visitor_chose;
                held: a_yes_admits_what_waits_of_that_browser_and_nothing_else;
                held: a_no_leaves_the_bare_event_or_nothing;
                held: the_wait_ends_in_time_even_if_nobody_has_looked;
                held: what_was_sent_meanwhile_is_not_sent_again_by_a_yes;
                held: one_step_ends_so_many_waits;
                held: more_than_may_wait_are_turned_away;
                held: a_withdrawal_ends_the_wait_too;
                inspector: a_row_says_what_became_of_a_delivery;
                inspector: the_list_is_newest_first_by_state_and_ends_when_it_is_told;
                inspector: an_event_is_shown_without_its_hashes;
                inspector: an_operator_beside_it_can_retry_and_is_noticed;
                inspector: a_dropped_delivery_is_gone_and_its_event_where_nobody_else_needs_it;
                memory: the_secret_is_made_once;
                memory: the_first_use_of_a_label_is_remembered;
                memory: pages_are_remembered_the_oldest_first;
                memory: no_more_pages_are_kept_than_are_useful_and_the_oldest_go;
                memory: what_there_is_is_counted;
                sweep: what_meta_would_no_longer_take_is_given_up_and_erased;
                sweep: a_dead_letters_event_goes_after_a_week_and_the_ledger_after_a_month;
                sweep: what_still_waits_for_a_choice_long_after_its_time_is_erased;
                sweep: pages_that_nobody_loads_go_after_a_season;
                shared: a_submission_that_comes_to_several_replicas_at_once_is_new_once;
                shared: a_delivery_is_handed_to_one_replica;
                shared: a_dead_replicas_deliveries_are_taken_over_in_doubt;
                shared: who_was_silent_too_long_can_still_say_that_meta_has_it;
            }
        }
    };
    (@tests $make:expr, $mark:tt, $($file:ident: $name:ident;)*) => {
        $(
            #$mark
            #[test]
            fn $name() {
                super::$file::$name(&$make);
            }
        )*
    };
}

contract!(sqlite, crate::outbox::tests::sqlite_kind::Sqlite::new(), [cfg(test)]);
contract!(redis, crate::outbox::tests::redis_kind::Redis::new(), [ignore = "needs redis-server"]);
contract!(replica, crate::outbox::tests::shared_kind::There::new(), [ignore = "needs redis-server"]);
contract!(alone, crate::outbox::tests::shared_kind::Away::new(), [cfg(test)]);
