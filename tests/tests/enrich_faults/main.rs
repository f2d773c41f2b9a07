//! The demo of logins whose targets are slow, spoilt or gone, as `cargo local -- demo enrich-faults`
//! plays it: the whole local stack, real HTTP, and every policy at work within its deadline.

use local::console::Console;
use local::demo::enrich_faults;
use local::{Local, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_every_fault_of_a_target_is_decided_as_its_policy_says_and_in_time() {
    let local = Local::start(&Options::ephemeral()).await.expect("a local stack");
    let outcome = enrich_faults::run(&local, Console::new(true)).await;
    local.stop().await.expect("it stops");
    assert_eq!(outcome.troubles, Vec::<String>::new());
    assert_eq!(outcome.decided.len(), 12, "{:?}", outcome.decided);
}
