//! Whole paths: real HTTP, the SQS and DynamoDB protocols, the deployed handlers, a target that
//! verifies every signature. One stack a test, on ports of its own.

mod akamai;
mod akamai_attacks;
mod answers;
mod asked_again;
mod egress;
mod encrypted;
mod handshakes;
mod last_known_good;
mod login_target;
mod outages;
mod platforms;
mod refusals;
mod repetitions;
mod round_trips;
mod samples;
mod support;
mod traces;
mod walks;
mod wire;
