//! The life of tokens in simulated time: a service that keeps true time, a machine and a
//! `Date` header that may not, and networks that are down. Nothing sleeps.

mod common;

use common::{Folder, Random, http_date};
use mingram::auth::{App, LongLivedToken, Refresh, RefreshOutcome, TokenFile};
use mingram::transport::{Clock, Request, Response, Transport};
use mingram::{Api, Error, ErrorKind};
use std::io::Cursor;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// 2026-11-23 12:00 UTC.
const BEGIN: u64 = 1_795_435_200;
/// The life of a long-lived token.
const LIFE: u64 = 60 * DAY;

/// What the machine's clock shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Machine {
    Right,
    /// A board without a battery, shortly after it has started.
    Unset,
    /// The end of 32 bits.
    Year2038,
    Behind,
    Ahead,
}

const MACHINES: [Machine; 5] = [
    Machine::Right,
    Machine::Unset,
    Machine::Year2038,
    Machine::Behind,
    Machine::Ahead,
];

impl Machine {
    fn shows(self, now: u64) -> u64 {
        match self {
            Machine::Right => now,
            Machine::Unset => 300,
            Machine::Year2038 => 2_147_483_000,
            Machine::Behind => now - 3 * DAY,
            Machine::Ahead => now + 365 * DAY,
        }
    }
}

/// What the service's header `Date` shows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Date {
    Right,
    Missing,
    Year1970,
    Year2099,
    YearAgo,
    DayAhead,
}

const DATES: [Date; 6] = [
    Date::Right,
    Date::Missing,
    Date::Year1970,
    Date::Year2099,
    Date::YearAgo,
    Date::DayAhead,
];

impl Date {
    fn shows(self, now: u64) -> Option<u64> {
        Some(match self {
            Date::Right => now,
            Date::Missing => return None,
            Date::Year1970 => 0,
            Date::Year2099 => 4_070_908_800,
            Date::YearAgo => now - 365 * DAY,
            Date::DayAhead => now + DAY,
        })
    }
}

/// The world: true time, the clocks, the network, and the service with its one token.
#[derive(Debug)]
struct World {
    now: u64,
    machine: Machine,
    date: Date,
    network: bool,
    /// The number of the token, which is in its text.
    serial: u32,
    granted_at: u64,
    life: u64,
    /// What the service reports as its life.
    reported: Option<u64>,
    requests: u32,
    grants: u32,
    refused_as_young: u32,
}

#[derive(Clone, Debug)]
struct Sim(Arc<Mutex<World>>);

impl Sim {
    fn new(life: u64, reported: Option<u64>) -> Sim {
        Sim(Arc::new(Mutex::new(World {
            now: BEGIN,
            machine: Machine::Right,
            date: Date::Right,
            network: true,
            serial: 0,
            granted_at: BEGIN,
            life,
            reported,
            requests: 0,
            grants: 0,
            refused_as_young: 0,
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn clocks(&self, machine: Machine, date: Date) {
        let mut world = self.world();
        (world.machine, world.date) = (machine, date);
    }

    /// Another process each time, so no `Api` remembers anything.
    fn api(&self) -> Api {
        Api::without_token()
            .with_transport(self.clone())
            .with_clock(self.clone())
    }

    fn is_dead(&self) -> bool {
        let world = self.world();
        world.now >= world.granted_at + world.life
    }

    /// A new token, as a login leaves it.
    fn login(&self) -> LongLivedToken {
        self.world().network = true;
        let app = App::new("1", "SECRETsample", "https://example.com/");
        let api = self.api().with_token("IGQVJshort");
        api.exchange_token(&app).unwrap()
    }
}

impl Clock for Sim {
    fn now(&self) -> SystemTime {
        let world = self.world();
        at(world.machine.shows(world.now))
    }

    fn sleep(&self, _: Duration) {
        panic!("a refresh does not wait");
    }
}

impl Transport for Sim {
    fn send(&self, request: &Request<'_>) -> mingram::Result<Response> {
        let mut world = self.world();
        if !world.network {
            return Err(Error::new(ErrorKind::Connect, "the host is unreachable"));
        }
        let (path, query) = request.url.split_once('?').unwrap();
        let login = path.ends_with("/access_token");
        assert!(login || path.ends_with("/refresh_access_token"), "{path}");
        let token = format!("IGQVJ{}", world.serial);
        let is_current = query.ends_with(&format!("&access_token={token}"));
        let age = world.now.saturating_sub(world.granted_at);
        let refused = |subcode: &str, message: &str| {
            let message = format!(
                r#"{{"error":{{"message":"{message}","type":"OAuthException","code":190{subcode}}}}}"#
            );
            (400, message)
        };
        if !login {
            world.requests += 1;
        }
        let (status, body) = if !login && (!is_current || age >= world.life) {
            refused(r#","error_subcode":463"#, "Session has expired")
        } else if !login && age < DAY {
            world.refused_as_young += 1;
            refused("", "Error validating access token: it is too new")
        } else {
            world.serial += 1;
            world.grants += u32::from(!login);
            world.granted_at = world.now;
            let life = world
                .reported
                .map(|life| format!(r#","expires_in":{life}"#));
            let (serial, life) = (world.serial, life.unwrap_or_default());
            let body = format!(r#"{{"access_token":"IGQVJ{serial}","token_type":"bearer"{life}}}"#);
            (200, body)
        };
        let date = world.date.shows(world.now);
        let mut headers = vec![("Content-Length".to_owned(), body.len().to_string())];
        headers.extend(date.map(|date| ("Date".to_owned(), http_date(date))));
        Ok(Response::new(
            status,
            headers,
            Cursor::new(body.into_bytes()),
        ))
    }
}

fn at(unix_seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds)
}

fn unix(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// What keeps the token between the runs.
enum Store {
    File(TokenFile),
    Text(String),
}

impl Store {
    fn save(&mut self, token: &LongLivedToken) {
        match self {
            Store::File(file) => file.save(token).unwrap(),
            Store::Text(text) => *text = token.to_json().unwrap(),
        }
    }

    /// A run of the program. Checks that the token in use and the stored one are the same,
    /// and that nothing is stored after a failure.
    fn run(&mut self, sim: &Sim) -> Refresh {
        let requests = sim.world().requests;
        let (old, refresh, new) = match self {
            Store::File(file) => {
                let old = file.load().unwrap();
                let refresh = file.refresh_if_due(&sim.api()).unwrap();
                (old, refresh, file.load().unwrap())
            }
            Store::Text(text) => {
                let old = LongLivedToken::from_json(text).unwrap();
                let refresh = old.refresh_if_due(&sim.api());
                *text = refresh.token.to_json().unwrap();
                (old, refresh, LongLivedToken::from_json(text).unwrap())
            }
        };
        assert_eq!(refresh.token, new);
        let refreshed = matches!(refresh.outcome, RefreshOutcome::Refreshed);
        assert_eq!(old != new, refreshed, "{:?}", refresh.outcome);
        assert!(sim.world().requests <= requests + 1);
        refresh
    }
}

/// Lives: true, and as the service reports them.
const LIVES: [(u64, Option<u64>); 7] = [
    (LIFE, Some(LIFE)),
    (LIFE, Some(5_183_944)),
    (LIFE, Some(5012)),
    (LIFE, Some(0)),
    (LIFE, None),
    (LIFE, Some(u64::MAX)),
    (30 * DAY, Some(30 * DAY)),
];

/// How often, in percent, a day is bad in each way.
struct Trouble {
    machine: u64,
    date: u64,
    network: u64,
    /// The days of an outage, at most.
    outage: u64,
}

/// Runs the program once a day for 300 days and returns the number of deaths. None of them
/// is one that a refresh could have prevented: in the last third of the token's life (and four
/// days later, which a clock three days behind and a time a day ahead come to) there was no
/// network on any day.
fn live(sim: &Sim, store: &mut Store, random: &mut Random, trouble: &Trouble) -> u32 {
    let (mut deaths, mut chances) = (0, Vec::new());
    store.save(&sim.login());
    // Days without network come in a row.
    let mut outage = 0;
    for day in 1..=300 {
        let now = BEGIN + day * DAY + random.below(HOUR);
        outage = match random.percent(trouble.network) {
            true if outage == 0 => 1 + random.below(trouble.outage),
            _ => u64::saturating_sub(outage, 1),
        };
        let machine = match random.percent(trouble.machine) {
            true => MACHINES[random.index(5)],
            false => Machine::Right,
        };
        let date = match random.percent(trouble.date) {
            true => DATES[random.index(6)],
            false => Date::Right,
        };
        sim.clocks(machine, date);
        sim.world().now = now;
        sim.world().network = outage == 0;
        if sim.is_dead() {
            assert!(chances.is_empty(), "day {day}: {chances:?} {sim:?}");
            deaths += 1;
            store.save(&sim.login());
        }
        let refresh = store.run(sim);
        let world = sim.world();
        if now == world.granted_at {
            chances.clear();
        } else if outage == 0 && now >= world.granted_at + world.life * 2 / 3 + 4 * DAY {
            chances.push((day, machine, date));
        }
        // It is the newest, unless this day brought none.
        let token = format!("IGQVJ{}", world.serial);
        assert_eq!(refresh.token.token.expose(), token);
    }
    deaths
}

#[test]
fn no_token_dies_that_could_have_been_refreshed() {
    let (mut deaths, mut grants) = (0, 0);
    for seed in 0..420 {
        let mut random = Random(seed);
        let (life, reported) = LIVES[seed as usize % LIVES.len()];
        let sim = Sim::new(life, reported);
        sim.clocks(MACHINES[random.index(5)], DATES[random.index(6)]);
        let trouble = Trouble {
            machine: [0, 10, 40, 100][random.index(4)],
            date: [0, 10, 40, 100][random.index(4)],
            network: [0, 3, 10, 20][random.index(4)],
            outage: 30,
        };
        let mut store = Store::Text(String::new());
        deaths += live(&sim, &mut store, &mut random, &trouble);
        grants += sim.world().grants;
    }
    // The outages are long enough that some die.
    println!("{deaths} deaths, {grants} refreshes");
    assert!(deaths > 0 && grants > 420);
}

/// 300 days in files, with days that are bad in every way, but no outage of weeks.
#[test]
fn tokens_in_files_live() {
    let folder = Folder::new();
    for seed in 0..8 {
        let mut random = Random(seed);
        let sim = Sim::new(LIFE, Some(LIFE));
        let file = TokenFile::new(folder.0.join(format!("{seed}.json")));
        let trouble = Trouble {
            machine: 25,
            date: 25,
            network: 20,
            outage: 5,
        };
        let deaths = live(&sim, &mut Store::File(file), &mut random, &trouble);
        assert_eq!(deaths, 0, "{seed}");
    }
}

/// Whatever both clocks showed at the login and at the refresh before, one day of network
/// late in the token's life is enough, whatever they show then.
#[test]
fn one_day_of_network_is_enough_with_every_combination_of_clocks() {
    let pairs: Vec<_> = MACHINES
        .into_iter()
        .flat_map(|machine| DATES.map(|date| (machine, date)))
        .collect();
    let sim = Sim::new(LIFE, Some(LIFE));
    let mut store = Store::Text(String::new());
    for &login in &pairs {
        for &first in &pairs {
            for &second in &pairs {
                sim.world().now = BEGIN;
                sim.clocks(login.0, login.1);
                store.save(&sim.login());
                let mut granted_at = BEGIN;
                for (age, (machine, date)) in [(44, first), (44, second), (59, login)] {
                    granted_at += age * DAY;
                    sim.world().now = granted_at;
                    sim.clocks(machine, date);
                    let outcome = store.run(&sim).outcome;
                    assert!(
                        matches!(outcome, RefreshOutcome::Refreshed),
                        "{login:?} {first:?} {second:?}: {outcome}"
                    );
                }
            }
        }
    }
}

/// Runs of the program every `step`; the requests, and those that were refused as too young.
fn year(
    (life, reported): (u64, Option<u64>),
    step: u64,
    login: (Machine, Date),
    clocks: (Machine, Date),
) -> (u32, u32) {
    let sim = Sim::new(life, reported);
    sim.clocks(login.0, login.1);
    let mut store = Store::Text(String::new());
    store.save(&sim.login());
    sim.clocks(clocks.0, clocks.1);
    let mut random = Random(life + step);
    for at in (0..365 * DAY).step_by(step as usize) {
        sim.world().now = BEGIN + at + random.below(step / 2);
        assert!(!sim.is_dead());
        let refresh = store.run(&sim);
        // With two wrong clocks, a refusal does not show that the token is young.
        let one_is_right = clocks.0 == Machine::Right || clocks.1 == Date::Right;
        assert!(refresh.error().is_none() || !one_is_right, "{clocks:?}");
    }
    let world = sim.world();
    assert_eq!(world.requests, world.grants + world.refused_as_young);
    (world.requests, world.refused_as_young)
}

const RIGHT: (Machine, Date) = (Machine::Right, Date::Right);
const USUAL: (u64, Option<u64>) = (LIFE, Some(LIFE));

#[test]
fn a_healthy_year_takes_a_request_in_40_days() {
    for step in [HOUR, 6 * HOUR, DAY] {
        let year = |life, reported| year((life, reported), step, RIGHT, RIGHT);
        assert_eq!(year(LIFE, Some(LIFE)), (9, 0), "{step}");
        assert_eq!(year(LIFE, Some(5_183_944)), (9, 0), "{step}");
        let (requests, young) = year(12 * DAY, Some(12 * DAY));
        assert!((60..=73).contains(&requests) && young == 0, "{requests}");
        // Once a day, but not more often.
        for reported in [Some(5012), Some(0), None] {
            let (requests, young) = year(LIFE, reported);
            assert!((180..=365).contains(&requests) && young == 0, "{step}");
        }
    }
}

#[test]
fn one_clock_that_is_wrong_for_a_year_costs_little() {
    // While the machine's clock is right, no `Date` costs anything.
    for date in DATES {
        let (requests, young) = year(USUAL, 6 * HOUR, RIGHT, (Machine::Right, date));
        assert_eq!((requests, young), (9, 0), "{date:?}");
    }
    // A machine that is always some days behind notices no difference.
    for date in [Date::Right, Date::Missing, Date::DayAhead] {
        let clocks = (Machine::Behind, date);
        for login in [RIGHT, clocks] {
            let (requests, _) = year(USUAL, 6 * HOUR, login, clocks);
            let most = if date == Date::Missing { 60 } else { 25 };
            assert!(requests <= most, "{login:?} {clocks:?}: {requests}");
        }
    }
    // By clocks that contradict the token: a refresh a day, and at most one request a run.
    for machine in [Machine::Unset, Machine::Year2038, Machine::Ahead] {
        let (requests, young) = year(USUAL, 6 * HOUR, RIGHT, (machine, Date::Right));
        assert!(
            (requests - young) <= 365 && requests <= 365 * 4,
            "{machine:?}"
        );
    }
}

/// One wrong clock declares no token dead: it stays in use, and the service's word counts.
#[test]
fn a_clock_alone_ends_no_token() {
    for (machine, date) in [
        (Machine::Year2038, Date::Missing),
        (Machine::Ahead, Date::Missing),
        (Machine::Unset, Date::Year2099),
        (Machine::Right, Date::Year2099),
    ] {
        let sim = Sim::new(LIFE, Some(LIFE));
        let mut store = Store::Text(String::new());
        store.save(&sim.login());
        sim.clocks(machine, date);
        sim.world().network = false;
        for day in [1, 30, 59] {
            sim.world().now = BEGIN + day * DAY + HOUR;
            let refresh = store.run(&sim);
            assert_eq!(refresh.token.token.expose(), "IGQVJ1");
            // Not invalid: the service was not asked.
            let invalid = refresh.error().is_some_and(Error::is_token_invalid);
            assert!(!invalid);
        }
        sim.world().network = true;
        assert!(matches!(store.run(&sim).outcome, RefreshOutcome::Refreshed));
        sim.world().now += 61 * DAY;
        let error = store.run(&sim);
        assert!(error.error().unwrap().is_token_invalid());
    }
}

#[test]
fn a_wrong_time_heals_with_the_network() {
    let sim = Sim::new(LIFE, Some(LIFE));
    for expires_in in [
        "",
        r#","expires_in":0"#,
        r#","expires_in":5184000"#,
        r#","expires_in":1e99"#,
    ] {
        for (obtained_at, date) in [
            ("0", Date::Missing),
            ("-5000000000", Date::Missing),
            ("2147483000", Date::Missing),
            ("4070908800", Date::Missing),
            ("1e99", Date::Missing),
            // Plausible times, which need two witnesses.
            ("1820000000", Date::Right),
            ("1700000000", Date::Right),
            ("1300000000", Date::Right),
        ] {
            sim.world().now = BEGIN;
            sim.login();
            let serial = sim.world().serial;
            let mut store = Store::Text(format!(
                r#"{{"access_token":"IGQVJ{serial}","obtained_at":{obtained_at}{expires_in}}}"#
            ));
            sim.clocks(Machine::Right, date);
            sim.world().network = false;
            sim.world().now += 2 * DAY;
            assert!(store.run(&sim).error().is_some());
            sim.world().network = true;
            let now = sim.world().now;
            let refresh = store.run(&sim);
            assert!(
                matches!(refresh.outcome, RefreshOutcome::Refreshed),
                "{obtained_at} {expires_in} {}",
                refresh.outcome
            );
            assert_eq!(unix(refresh.token.obtained_at), now, "{obtained_at}");
            sim.world().now += DAY;
            assert!(matches!(store.run(&sim).outcome, RefreshOutcome::NotDue));
        }
    }
}
