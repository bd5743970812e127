//! The words of the API, of its messages and of HTTP: what may stay in a recording.

use std::collections::HashSet;
use std::sync::OnceLock;

/// In lower case. No word that is also the name of many people.
const WORDS: &str = "\
    a about accept accepted access accessing account accounts achieved action actions activity ad \
    add added address ads after again age agent aggregated ago ai aliases all allowed already alt \
    always amount an and any api app application apps appsecret are array as asked asking async at \
    attempt audience audio aug auth authenticate authorization authorize authorized authorizing \
    average avg back bad bandwidth basic be bearer because been before being below between bin \
    biography blocked body boolean boost bot both bottom br breakdown breakdowns broadcast bucket \
    bucketed business but by bytes cache call called calls can cannot cap caption carousel case \
    catalog category cause certain change changed character characters charset check checked \
    children chunked city click clicks client clips close closed co code codes collaborators com \
    comment comments commerce complete completed config connected connection consumer contact \
    container content contents control conversations conversion cookie copyright could count counted \
    country cpu cputime created creating creation creator crossposted ct cursor cursors custom \
    dashboard data date day days deactivated debug dec december default delete deleted demographics \
    denied deprecated description deserialize detected developer developers dimension direct \
    directions disabled discovery div do docs doctype document does due duration during each edge \
    edt effect eligibility eligible email empty enable enabled encoding end endpoint engaged \
    engagement enough entity error errors est estimated event every example exceeded exceeds \
    exception exchange exist exists exited expected expire expired expires explore extra f facebook \
    facebookads fail failed false fb fbtrace feature feb february feed few field fields file \
    filtering first flow follow follower followers following follows for forbidden force format \
    forward forwards found fri friday from frozen further gateway gender generate generated get \
    given global gmt go good got grant graph graphmethodexception graphql group h1 h2 handle has \
    hashtag hashtags have head header here hidden history hit home hour hours hover how href html \
    http https hub icon id ids if ig igapiexception igqvjsample image images impression impressions \
    in incorrect index info information insights instagram instead insufficient integer interactions \
    internal into invalid invalidated is iso issued it item items its jan january javascript json \
    jul july jun just key keys language large later least left legacy length less level li lifetime \
    like liked likes limit limited limits link linked links list little live lived lives load loaded \
    loading locale located location log logged login long longer looking lower m made mailto \
    maintenance malformed manage management manual many mar march match matching max maximum may me \
    media mentioned mentions merged message messages messaging meta metadata method metric metrics \
    migration millisecond milliseconds min minimum minute minutes missing mode mon monday month \
    months more moved msg music must my name nan navigation need needs network never new next no \
    node nodes non none nonexisting not note nothing nov november now null number numbers oauth \
    oauthexception object occurred oct october of off offset ok old on once one online only open \
    operation or order organic origin original other others our out outer over overview own owner \
    p page pages pagination paging param parameter parameters parent parse parsed part password path \
    pdt peak pending per percent period permalink permanently permission permissions permitted \
    personal phone photo picture pixel place plain platform play plays please policies policy pop \
    post posted posts preference present pretty prevent previous private problem process processed \
    product products profile profiles pronouns proof properties property provided proxy pst public \
    publish published publishing purchase push q query quota range ranking rate re reach reached \
    reactivate read received recent recently recommended recorded redirect reduce reel reels refresh \
    regain rejected rel relation remove removed replied replies reply repost reposted reposts \
    request requested requests require required requires reset response responses responsive \
    restricted result results retrieve retry return returned revalidate review revoked role root \
    rsrc s same sat saturday saved saves saw scope scopes script search second seconds secret secure \
    security see self send sent sep september series server service session set settings several \
    share shared shares shopping short shortcode should show shown shows sign signature since size \
    skip small so some something soon sorry sound source span special specified stale state static \
    status stop store stories story stp string subcode submit subscribe subscribed such sun sunday \
    support supported swipe syntax system tag tagged tags take taken tap taps target team \
    temporarily temporary test text th than that the their them then there these they third this \
    those threads throttled through thu thumbnail thursday time timeframe timeout times timestamp \
    timezone title to today together token tokens too top total tracesample transfer transient tray \
    tried true try trying tue tuesday tv type types u ugc ui unable unauthorized unavailable under \
    unexpected unfollows unknown unpublished unsupported until unused update updated upgrade upload \
    uploaded upstream uri url urls usage use used user username users using utc utf utf8 utility v \
    valid validate validated validating value values vary version very via video videos view viewed \
    viewer viewers views visible visit visits w3 wait was watch watched way we website wed wednesday \
    week weeks went were what when where whether which while who whole window with within without \
    word words working world write wrong www x xhtml xml year years yes yesterday yet you your zero \
    zone";

/// Values of headers and keys in it that are written together: `max-age`, `media_type`,
/// `children.media_type`, `male.25-34`.
const JOINTS: [char; 4] = ['_', '-', '.', '+'];

/// A longer number may be an id.
const MAX_DIGITS: usize = 5;

/// Whether a word consists of known ones and of short numbers.
pub(super) fn is_known(word: &str) -> bool {
    static KNOWN: OnceLock<HashSet<&str>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| WORDS.split(' ').collect());
    let is_known = |part: &str| {
        let is_short = part.len() <= MAX_DIGITS && is_digits(part);
        is_short || is_version(part) || known.contains(part.to_ascii_lowercase().as_str())
    };
    // `65+`
    let word = word.strip_suffix('+').unwrap_or(word);
    !word.is_empty() && word.split(JOINTS).all(is_known)
}

/// Whether all words of a text are known.
pub(super) fn are_known(text: &str) -> bool {
    let is_joint = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
    text.split(is_joint)
        .all(|word| word.is_empty() || is_known(word))
}

/// The name of a field or a metric that a program requests: `media_type`.
pub(super) fn is_field(word: &str) -> bool {
    let of_field = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() <= 64
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(of_field)
}

/// A value of an enum, known or not: `CAROUSEL_ALBUM`. Also a country: `DE`.
pub(super) fn is_type(word: &str) -> bool {
    let of_type = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() <= 64
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.bytes().all(of_type)
}

/// `de_DE`
pub(super) fn is_locale(word: &str) -> bool {
    let of = |text: &str, is: fn(&u8) -> bool| text.len() == 2 && text.bytes().all(|b| is(&b));
    word.split_once('_').is_some_and(|(language, country)| {
        of(language, u8::is_ascii_lowercase) && of(country, u8::is_ascii_uppercase)
    })
}

/// `v25.0`
pub(crate) fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').unwrap_or_default();
    text.len() <= 6
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// An id is all digits.
pub(crate) fn is_id(text: &str) -> bool {
    (5..=20).contains(&text.len()) && is_digits(text)
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
