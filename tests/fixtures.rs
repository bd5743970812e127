//! Walks every fixture: each is requested through the public API, over a real
//! socket and from `Replay`, and understood as what its README says. A fixture without
//! a row here, or a row without a fixture, fails.

mod common;

use common::replay::{Replay, TOKEN};
use common::{api, fixtures, param};
use mingram::auth::{App, Code};
use mingram::comments::{Comment, CommentField as C};
use mingram::insights::{Dimension, Insight, Metric, MetricType, Period, Query, Timeframe, Value};
use mingram::transport;
use mingram::{
    AccountType, Api, ApiError, Error, ErrorKind, Fields, Media, MediaAudioType, MediaField as M,
    MediaProductType, MediaType, Page, User, UserField as U,
};
use miniserde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

type Check = fn(&Api);

const ME: &str = "17841405793187218";
const IMAGE: &str = "17895695668004550";
const ALBUM: &str = "17896450804038745";
const COMMENT: &str =
    "id,text,timestamp,from,username,hidden,like_count,media,replies{id,text,parent_id}";

#[rustfmt::skip]
const TABLE: &[(&str, Check)] = &[
    ("backwards/page-1", |api| {
        let page = back(api, "QVFIUmJhY2s");
        assert_eq!(ids(&page.data), ["17912345678901234", "17923456789012345"]);
        assert_eq!((page.previous_cursor(), page.next_cursor()), (Some("QVFIUmIx"), Some("QVFIUmEx")));
    }),
    ("backwards/page-2", |api| {
        let page = back(api, "QVFIUmIx");
        assert_eq!((page.has_previous(), page.previous_cursor()), (false, None));
        assert_eq!(page.cursors.before.as_deref(), Some("QVFIUmIy"));
    }),
    ("comments/default-fields", |api| {
        let comment = api.comments(IMAGE, "").into_iter().next().unwrap().unwrap();
        assert_eq!((comment.text.as_deref(), comment.username), (Some("hello"), None));
    }),
    ("comments/page-1", |api| {
        let page = api.comments(IMAGE, COMMENT).page_size(2).pages().next().unwrap().unwrap();
        let comment = &page.data[0];
        assert_eq!(comment.from.as_ref().unwrap().id.as_deref(), Some("1234567890123456"));
        assert_eq!((comment.username.as_deref(), comment.hidden, comment.like_count), (Some("harbour.fan"), Some(false), Some(3)));
        let media = comment.media.as_ref().unwrap();
        assert_eq!((media.id.as_deref(), &media.media_product_type), (Some(IMAGE), &Some(MediaProductType::Feed)));
        let replies = comment.replies.as_ref().unwrap();
        assert_eq!((replies.data[0].parent_id.as_deref(), replies.has_next()), (Some("18000000000000011"), false));
        assert_eq!((page.data[1].text.as_deref(), &page.data[1].replies), (Some(""), &None));
        assert_eq!(page.next_cursor(), Some("QVFJYmE"));
    }),
    ("comments/page-2", |api| {
        let comments = api.comments(IMAGE, COMMENT).page_size(2).after("QVFJYmE");
        let comments: Vec<Comment> = comments.into_iter().collect::<mingram::Result<_>>().unwrap();
        assert_eq!((comments.len(), comments[0].published_at()), (1, Some(UNIX_EPOCH + Duration::from_secs(1_795_291_290))));
    }),
    ("comments/replies", |api| {
        let fields = [C::Id, C::Text, C::Timestamp, C::ParentId, C::User, C::LegacyInstagramCommentId];
        let reply = api.replies("18000000000000011", fields).into_iter().next().unwrap().unwrap();
        assert_eq!(reply.parent_id.as_deref(), Some("18000000000000011"));
        assert_eq!(reply.user.unwrap().id.as_deref(), Some("25025320000000001"));
        assert_eq!(reply.legacy_instagram_comment_id.as_deref(), Some("17850000000000021"));
    }),
    ("errors/app-blocked", |api| app_is_off(refused(api, "eappblocked"), 400)),
    ("errors/app-deactivated", |api| app_is_off(refused(api, "eappoff"), 200)),
    ("errors/before-conversion", |api| {
        let error = refused(api, "ebefore");
        assert_eq!((known(api, "ebefore").subcode, error.is_not_found()), (Some(2_108_006), false));
        says(&error, "Media posted before business account conversion; this media has no insights, others do");
    }),
    ("errors/dead-video", |api| {
        let error = refused(api, "e9005");
        // It quotes no field, so none may be left out because of it.
        assert_eq!((error.refused_field(), error.is_transient()), (None, false));
        says(&error, "if `copyright_check_information` is requested: request the other fields");
    }),
    ("errors/echoes-token", |api| {
        let error = refused(api, "eecho");
        assert!(error.is_token_invalid());
        assert_eq!(error.api_error().unwrap().message, "(not shown: it contains a secret)");
    }),
    ("errors/gateway", |api| {
        let error = refused(api, "egateway");
        assert_eq!((error.kind(), error.status()), (ErrorKind::Status, Some(502)));
        assert!(error.is_transient() && error.api_error().is_none());
        let text = error.to_string();
        assert!(text.starts_with("GET /egateway: HTTP 502 (text/html; charset=utf-8, 113 bytes): <!DOCTYPE html> <html>"), "{text}");
    }),
    ("errors/html-with-200", |api| {
        let error = refused(api, "ehtml");
        assert_eq!(error.kind(), ErrorKind::NotJson);
        assert!(error.to_string().contains("the reply is not JSON (HTTP 200, text/html"), "{error}");
    }),
    ("errors/message-only", |api| {
        let api_error = known(api, "emsg");
        assert_eq!((api_error.code, api_error.message.as_str()), (None, "Something went wrong"));
    }),
    ("errors/not-enough-viewers", |api| {
        // Code 10, and yet no permission helps.
        let error = refused(api, "e10viewers");
        assert_eq!((known(api, "e10viewers").code, error.is_permission_missing(), error.is_transient()), (Some(10), false, false));
        assert!(error.to_string().ends_with("Not enough viewers for the media to show insights"), "{error}");
    }),
    ("errors/not-found", |api| {
        let error = refused(api, "e100-33");
        assert!(error.is_not_found() && !error.is_token_invalid());
        assert_eq!(error.api_error().unwrap().error_type.as_deref(), Some("IGApiException"));
    }),
    ("errors/other-login", |api| {
        let error = refused(api, "e190parse");
        assert!(error.is_token_invalid());
        assert!(error.to_string().contains("this host takes tokens of Instagram Login only"), "{error}");
    }),
    ("errors/parameter", |api| {
        let error = refused(api, "e100");
        assert_eq!((known(api, "e100").code, error.is_not_found(), error.is_transient()), (Some(100), false, false));
    }),
    ("errors/permission", |api| assert!(refused(api, "e10").is_permission_missing())),
    ("errors/permission-200", |api| assert!(refused(api, "e200").is_permission_missing())),
    ("errors/rate-limit", |api| {
        let error = refused(api, "e4");
        assert!(error.is_rate_limited() && !error.is_transient());
        assert_eq!((error.status(), error.retry_after()), (Some(403), None));
        assert_eq!(api.usage().percent(), Some(131));
    }),
    ("errors/rate-limit-business", |api| {
        let error = refused(api, "e80002");
        assert!(error.is_rate_limited());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(19 * 60)));
        assert!(error.to_string().contains("; try again in 19 minutes, not before: calls made"), "{error}");
        let api_error = error.api_error().unwrap();
        assert_eq!((api_error.code, api_error.subcode), (Some(80002), Some(2_207_051)));
        assert_eq!(api_error.user_title.as_deref(), Some("Too many calls"));
        assert_eq!(api_error.user_message.as_deref(), Some("Wait a little \u{23f3} and try again."));
        assert_eq!(api_error.trace_id.as_deref(), Some("ARateLimitBusiness"));
        assert_eq!(api.usage().wait(), Some(Duration::from_secs(19 * 60)));
        assert_eq!((api.usage().business[0].id.as_str(), api.usage().business[0].kind.as_deref()), (ME, Some("instagram")));
    }),
    ("errors/refused-field", |api| {
        let error = refused(api, "e100field");
        assert_eq!((error.refused_field(), error.is_not_found()), (Some("caption"), false));
        assert!(error.to_string().ends_with("; the field `caption` was refused: request the others without it"), "{error}");
    }),
    ("errors/refused-metric", |api| {
        let error = refused(api, "emetric");
        assert_eq!(error.refused_field(), None);
        says(&error, "; request the other metrics: this kind of media does not have this one");
    }),
    ("errors/refused-path", |api| {
        let error = refused(api, "e2500path");
        assert_eq!(error.refused_field(), Some("children.media_type"));
        assert!(error.to_string().contains("the field `children.media_type` was refused"), "{error}");
    }),
    ("errors/syntax", |api| {
        let error = refused(api, "e2500");
        // A 5xx, and yet nothing that passes: the code decides.
        assert_eq!((known(api, "e2500").code, error.status(), error.is_transient()), (Some(2500), Some(500), false));
        assert_eq!(error.refused_field(), Some("children"));
    }),
    ("errors/syntax-400", |api| {
        let error = refused(api, "e2500-400");
        // No field was refused: one was requested twice.
        assert_eq!(error.refused_field(), None);
        assert_eq!((known(api, "e2500-400").code, error.status(), error.is_transient()), (Some(2500), Some(400), false));
    }),
    ("errors/temporary", |api| {
        let error = refused(api, "e2");
        assert!(error.is_transient() && !error.is_rate_limited());
        assert_eq!(error.api_error().unwrap().is_transient, Some(true));
    }),
    ("errors/token-expired", |api| {
        let error = refused(api, "e190");
        assert!(error.is_token_invalid());
        assert_eq!((error.kind(), error.status(), error.call()), (ErrorKind::Api, Some(400), "GET /e190"));
        assert_eq!((error.api_error().unwrap().code, error.api_error().unwrap().subcode), (Some(190), Some(463)));
        assert_eq!(
            error.to_string(),
            "GET /e190: the service returned error 190/463 (HTTP 400, OAuthException): Error validating access token: \
             Session has expired on Tuesday, 28-Sep-26 03:00:00 PDT.; the access token is expired, revoked or of the wrong kind: \
             log in again for a new one"
        );
    }),
    ("errors/token-invalid", |api| assert!(refused(api, "e190b").is_token_invalid())),
    ("errors/token-session", |api| assert!(refused(api, "e102").is_token_invalid())),
    ("errors/too-much", |api| {
        let error = refused(api, "e1");
        assert!(error.is_too_much_data() && !error.is_transient());
        assert!(error.to_string().ends_with("request fewer fields or a smaller page size"));
    }),
    ("errors/too-much-told-the-user", |api| {
        let error = refused(api, "e1user");
        assert!(error.is_too_much_data() && !error.is_transient(), "{error}");
    }),
    ("errors/unavailable", |api| {
        let error = refused(api, "etext");
        assert_eq!(error.kind(), ErrorKind::NotJson);
        assert!(error.to_string().ends_with("Sorry, this content isn't available right now"), "{error}");
    }),
    ("errors/unsupported-request", |api| {
        let error = refused(api, "eunsupported");
        assert_eq!((error.refused_field(), error.is_not_found(), error.is_transient()), (None, false, false));
        assert!(!error.is_permission_missing() && !error.is_token_invalid());
        says(&error, "method type: get; it names no field, so fewer fields may not help: users report that a new login did");
    }),
    ("errors/view-count", |api| {
        let error = refused(api, "e36104");
        assert_eq!(error.refused_field(), None);
        says(&error, "; `view_count` can cause this: request the other fields");
    }),
    ("errors/with-200", |api| {
        let error = refused(api, "e200ok");
        assert_eq!((error.kind(), error.status(), error.is_token_invalid()), (ErrorKind::Api, Some(200), true));
    }),
    ("feed/page-1", |api| {
        let page = feed(api, None);
        assert_eq!((page.next_cursor(), page.has_previous()), (Some("QVFIUk1ZA0xwZAW5kMQ"), false));
        assert_eq!(page.usage.app.unwrap().call_count, 4);
        let types: Vec<_> = page.data.iter().map(|media| media.media_type.clone().unwrap()).collect();
        assert_eq!(types, [MediaType::Image, MediaType::Video, MediaType::CarouselAlbum, MediaType::Image]);
        assert_eq!(page.data[0].permalink.as_deref(), Some("https://www.instagram.com/p/DKa1/"));
        assert_eq!(page.data[1].caption.as_deref(), Some("First try at sourdough \u{1f35e}\u{1f525} it rose!"));
        assert_eq!(children(&page.data[2]).len(), 2);
        assert_eq!(page.data[3].caption, None);
        assert!(page.data[0].media_url_expires_at().is_some());
    }),
    ("feed/page-2", |api| {
        let page = feed(api, Some("QVFIUk1ZA0xwZAW5kMQ"));
        assert_eq!((page.next_cursor(), page.previous_cursor()), (Some("QVFIUk1ZA0xwZAW5kMg"), Some("QVFIUk1ZA0xwZAW5kMQb")));
        assert_eq!(page.data[0].caption.as_deref(), Some("小さな猫 \u{1f408} 日向ぼっこ"));
        assert_eq!((page.data[1].caption.as_deref(), &page.data[1].media_url), (Some(""), &None));
        assert_eq!(page.data[2].media_type, Some("BROADCAST".into()));
        assert_eq!(page.data[3].caption.as_deref(), Some("Line one\nline two\ttabbed"));
    }),
    ("feed/page-3", |api| {
        let page = feed(api, Some("QVFIUk1ZA0xwZAW5kMg"));
        // The last page has cursors, and no `next`.
        assert_eq!((page.has_next(), page.cursors.after.as_deref()), (false, Some("QVFIUk1ZA0xwZAW5kMgz")));
        assert_eq!(children(&page.data[1]).len(), 3);
        assert_eq!(page.data[2].published_at(), Some(UNIX_EPOCH + Duration::from_secs(1_504_203_000)));
    }),
    ("feed/profile", |api| {
        let user = api.me(U::BASIC).unwrap();
        assert_eq!((user.account_type, user.media_count), (Some(AccountType::Personal), Some(11)));
    }),
    ("guide/children", |api| {
        let page = page(api.children(ALBUM, "").pages());
        assert_eq!((page.next_cursor(), page.previous_cursor()), (Some("MTAxNDM2"), Some("NDMyNzQy")));
    }),
    ("guide/children-end", |api| assert!(page(api.children(ALBUM, "").after("MTAxNDM2").pages()).data.is_empty())),
    ("guide/me", |api| assert_eq!(api.me([U::Id, U::Username]).unwrap().username.as_deref(), Some("jayposiris"))),
    ("guide/me-ids", |api| assert_eq!(api.me("").unwrap().id, ME)),
    ("guide/media", |api| {
        let media = api.media(IMAGE, [M::Id, M::MediaType, M::MediaUrl, M::Username, M::Timestamp]).unwrap();
        assert_eq!(media.media_type, Some(MediaType::Image));
    }),
    ("guide/my-media", |api| assert_eq!(page(api.my_media([M::Id, M::Caption]).pages()).data.len(), 4)),
    ("guide/my-media-end", |api| {
        // No `paging` at all, and nothing in it: the end.
        let page = page(api.my_media([M::Id, M::Caption]).after("MTAxNDM2").pages());
        assert!(page.data.is_empty() && !page.has_next() && page.cursors.after.is_none());
    }),
    ("guide/my-media-ids", |api| assert_eq!(page(api.my_media("").pages()).data.len(), 4)),
    ("insights/breakdowns", |api| {
        let query = Query::new(&[Metric::Reach]).period(Period::Day).metric_type(MetricType::TotalValue);
        let insights = api.my_insights(query.breakdown(&[Dimension::MediaProductType, Dimension::FollowType])).unwrap();
        let total = insights[0].total_value.as_ref().unwrap();
        let breakdown = &total.breakdowns.as_ref().unwrap()[0];
        assert_eq!((insights[0].number(), &total.value), (Some(412.0), &Some(Value::Number(412.0))));
        assert_eq!(breakdown.dimension_keys.as_deref().unwrap(), [Dimension::MediaProductType, Dimension::FollowType]);
        let group = &breakdown.results.as_ref().unwrap()[1];
        assert_eq!(group.dimension_values.as_deref().unwrap(), ["REELS", "NON_FOLLOWER"]);
        assert_eq!(group.value, Some(Value::Number(100.0)));
    }),
    ("insights/by-key", |api| {
        let metric = Metric::from("online_followers");
        let insights = api.my_insights(Query::new(std::slice::from_ref(&metric)).period(Period::Lifetime)).unwrap();
        let points = insights[0].values.as_ref().unwrap();
        let hours = [("0", 120.0), ("1", 95.0), ("23", 140.0)].map(|(hour, count)| (hour.to_owned(), Some(Value::Number(count))));
        assert_eq!((points[0].value.clone(), points[1].value.clone()), (Some(Value::ByKey(hours.into())), Some(Value::ByKey(BTreeMap::new()))));
        assert_eq!((insights[0].name.as_ref(), insights[0].number()), (Some(&metric), None));
    }),
    ("insights/days", |api| {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let query = Query::new(&[Metric::Reach]).period(Period::Day).metric_type(MetricType::TimeSeries);
        let insights = api.my_insights(query.since(at(1_795_305_600)).until(at(1_795_478_400))).unwrap();
        let points = insights[0].values.as_ref().unwrap();
        assert_eq!((&points[1].value, points[1].ended_at()), (&Some(Value::Number(398.0)), Some(at(1_795_420_800))));
        assert_eq!((insights[0].period.as_ref(), insights[0].number()), (Some(&Period::Day), None));
    }),
    ("insights/demographics", |api| {
        let query = Query::new(&[Metric::FollowerDemographics]).period(Period::Lifetime).metric_type(MetricType::TotalValue);
        let insights = api.my_insights(query.breakdown(&[Dimension::Age]).timeframe(Timeframe::ThisMonth)).unwrap();
        let total = insights[0].total_value.as_ref().unwrap();
        assert_eq!((&total.value, total.breakdowns.as_ref().unwrap()[0].results.as_ref().unwrap().len()), (&None, 2));
    }),
    ("insights/empty", |api| assert!(api.media_insights("17900000000000031", &[Metric::Replies]).unwrap().is_empty())),
    ("insights/media", |api| {
        let metrics = [Metric::Reach, Metric::Saved, Metric::ReelsAverageWatchTime];
        let insights = api.media_insights(IMAGE, &metrics).unwrap();
        assert_eq!(insights.iter().map(Insight::number).collect::<Vec<_>>(), [Some(131.0), Some(0.0), Some(2345.5)]);
        assert!(insights.iter().map(|insight| insight.name.as_ref().unwrap()).eq(&metrics));
        assert_eq!((insights[0].period.as_ref(), insights[0].title.as_deref()), (Some(&Period::Lifetime), Some("Accounts reached")));
    }),
    ("insights/neither", |api| {
        let query = Query::new(&[Metric::FollowsAndUnfollows]).period(Period::Day).metric_type(MetricType::TotalValue);
        let insights = api.my_insights(query).unwrap();
        assert_eq!((&insights[0].values, &insights[0].total_value, insights[0].number()), (&None, &None, None));
    }),
    ("insights/total", |api| {
        let query = Query::new(&[Metric::Views, Metric::Likes]).period(Period::Day).metric_type(MetricType::TotalValue);
        let insights = api.my_insights(query).unwrap();
        assert_eq!((insights[0].number(), insights[1].number()), (Some(5120.0), Some(77.0)));
    }),
    ("media/album-edge", |api| {
        let children = page(api.children(ALBUM, M::CHILD).pages()).data;
        assert_eq!(children[1].media_type, Some(MediaType::Video));
        assert!(children[1].image_url().unwrap().ends_with("oe=6A2B7C00"));
    }),
    ("media/album-ids", |api| {
        let album = api.media(ALBUM, [M::Id, M::Children]).unwrap();
        assert_eq!(ids(children(&album)), ["17880997618081620", "17871527143187462"]);
    }),
    ("media/album-nested", |api| {
        let album = api.media(ALBUM, "id,media_type,children{id,media_type,media_url}").unwrap();
        assert_eq!(album.image_url(), children(&album)[0].media_url.as_deref());
        assert_eq!(children(&album)[1].media_type, Some(MediaType::Video));
    }),
    ("media/audio", |api| {
        let fields = [M::Id, M::MediaType, M::IgId, M::IsAiGenerated, M::MediaAudioType];
        let media = api.media("17934567890123488", fields).unwrap();
        assert_eq!((media.ig_id.as_deref(), media.is_ai_generated), (Some("2345678901234567890"), Some(true)));
        assert_eq!(media.media_audio_type, Some(MediaAudioType::OriginalSound));
    }),
    ("media/audio-new", |api| {
        let media = api.media("17934567890123489", [M::Id, M::IsAiGenerated, M::MediaAudioType]).unwrap();
        assert_eq!(media.media_audio_type, Some("SOUND_EFFECT".into()));
    }),
    ("media/by-ids", |api| {
        let ids = format!("{IMAGE},17899305451014820");
        let media: BTreeMap<String, Media> = api.node("", &[("ids", &ids), ("fields", "id,media_type")]).unwrap();
        assert_eq!(media["17899305451014820"].media_type, Some(MediaType::Video));
    }),
    ("media/comments", |api| {
        #[derive(Deserialize)]
        struct Comment {
            text: Option<String>,
        }
        let comments = api.edge::<Comment>(&format!("{IMAGE}/comments")).param("fields", "id,text").into_iter();
        let texts: Vec<_> = comments.map(|comment| comment.unwrap().text.unwrap()).collect();
        assert_eq!(texts, ["\u{1f44d}", "where?"]);
    }),
    ("media/empty-page", |api| {
        let page = page(api.my_media([M::Id]).page_size(3).pages());
        assert_eq!((page.data.len(), page.has_next(), page.next_cursor()), (0, true, Some("QVFIUmVx")));
    }),
    ("media/hidden-likes", |api| {
        let media = api.media("17945678901234567", [M::Id, M::LikeCount, M::CommentsCount, M::MediaProductType]).unwrap();
        assert_eq!((media.like_count, media.comments_count), (None, Some(0)));
        assert_eq!(media.media_product_type, Some("CLIPS_SPECIAL".into()));
    }),
    ("media/insights", |api| {
        #[derive(Deserialize)]
        struct Insights {
            data: Vec<Metric>,
        }
        #[derive(Deserialize)]
        struct Metric {
            name: String,
            values: Vec<BTreeMap<String, u64>>,
        }
        let insights: Insights = api.node(&format!("{IMAGE}/insights"), &[("metric", "reach")]).unwrap();
        assert_eq!((insights.data[0].name.as_str(), insights.data[0].values[0]["value"]), ("reach", 131));
    }),
    ("media/no-url", |api| {
        let media = api.media("17934567890123456", [M::Id, M::MediaType, M::MediaUrl]).unwrap();
        assert_eq!((media.media_url.as_deref(), media.image_url()), (None, None));
    }),
    ("media/products", |api| {
        use MediaProductType as P;
        let edge = api.clone().with_version("v25.0").my_media([M::Id, M::MediaProductType]);
        let products: Vec<P> = edge.into_iter().map(|media| media.unwrap().media_product_type.unwrap()).collect();
        assert_eq!(products, [P::Ad, P::Feed, P::Story, P::Reels]);
    }),
    ("media/reel", |api| {
        let mut fields = M::PROFESSIONAL.to_vec();
        fields.extend([M::IsSharedToFeed, M::Owner, M::AltText, M::IsCommentEnabled, M::LegacyInstagramMediaId]);
        let reel = api.clone().with_version("v25.0").media("17923456789012345", &fields).unwrap();
        assert_eq!(reel.media_product_type, Some(MediaProductType::Reels));
        assert_eq!((reel.is_shared_to_feed, reel.is_comment_enabled), (Some(true), Some(true)));
        assert_eq!((reel.like_count, reel.comments_count), (Some(212), Some(14)));
        assert_eq!(reel.owner.unwrap().id.as_deref(), Some(ME));
        assert_eq!(reel.alt_text.as_deref(), Some("A loaf in an oven"));
        assert_eq!(reel.shortcode.as_deref(), Some("DKf8"));
        assert_eq!(reel.legacy_instagram_media_id.as_deref(), Some("3456789012345678901"));
    }),
    ("media/since-until", |api| {
        let edge = api.my_media([M::Id]).since(UNIX_EPOCH + Duration::from_secs(1_504_137_600)).until(UNIX_EPOCH + Duration::from_secs(1_504_224_000));
        assert_eq!(ids(&page(edge.pages()).data), ["17895695668009999"]);
    }),
    ("media/user-media", |api| {
        // One id is a bare number on the wire.
        assert_eq!(ids(&page(api.user_media(ME, [M::Id]).page_size(100).pages()).data), [IMAGE, "17899305451014820"]);
    }),
    ("stories/my-stories", |api| {
        let stories = api.my_stories([M::Id, M::MediaType, M::MediaProductType, M::Timestamp]);
        let stories: Vec<Media> = stories.into_iter().collect::<mingram::Result<_>>().unwrap();
        assert_eq!(ids(&stories), ["17900000000000031", "17900000000000032"]);
        assert_eq!(stories[1].media_product_type, Some(MediaProductType::Story));
    }),
    ("tags/page-1", |api| {
        // Cursors and no links.
        let page = page(tags(api).pages());
        assert_eq!((page.has_next(), page.next_cursor(), page.cursors.after.as_deref()), (false, None, Some("QVFJdGE")));
    }),
    ("tags/page-2", |api| {
        let mut pages = tags(api).after("QVFJdGE").page_by_cursor().pages();
        assert_eq!(ids(&pages.next().unwrap().unwrap().data), ["17900000000000043"]);
        assert_eq!(pages.position().to_string(), "v1&after=QVFJdGQ&last=17900000000000043");
    }),
    ("tags/page-end", |api| assert_eq!(tags(api).after("QVFJdGQ").page_by_cursor().into_iter().count(), 0)),
    ("tokens/client-secret", |api| {
        let error = exchange(api, "CODEkey").unwrap_err();
        says(&error, "client secret; give the Instagram app secret as it is in the app dashboard, not the Meta app's");
    }),
    ("tokens/code-used", |api| {
        let error = exchange(api, "CODEused").unwrap_err();
        let wanted = "This authorization code has been used";
        assert_eq!((error.kind(), error.status()), (ErrorKind::Api, Some(400)));
        assert_eq!((error.api_error().unwrap().code, error.api_error().unwrap().message.as_str()), (None, wanted));
    }),
    ("tokens/developer-role", |api| {
        let error = exchange(api, "CODErole").unwrap_err();
        says(&error, "developer role; the Instagram tester must accept the invitation: on instagram.com, Settings, \
                      Website permissions, Apps and websites, Tester invites");
    }),
    ("tokens/long", |api| {
        let token = api.exchange_token(&app()).unwrap();
        assert_eq!((token.token.expose(), token.token_type.as_deref()), ("IGQVJlong", Some("bearer")));
        assert_eq!(token.expires_in, Some(Duration::from_secs(5_183_944)));
    }),
    ("tokens/platform-app", |api| {
        let error = exchange(api, "CODEapp").unwrap_err();
        says(&error, "platform app; give the Instagram app id, not the Meta app id: in the app dashboard it is under \
                      Instagram, API setup with Instagram login");
    }),
    ("tokens/redirect-uri", |api| {
        let error = exchange(api, "CODEuri").unwrap_err();
        says(&error, "redirect_uri; it must be letter for letter the one in the app dashboard");
    }),
    ("tokens/refresh", |api| {
        let token = api.refresh_token().unwrap();
        assert_eq!((token.token.expose(), token.expires_in), ("IGQVJrefreshed", Some(Duration::from_secs(5012))));
    }),
    ("tokens/refresh-bare", |api| {
        let token = api.clone().with_token("IGQVJbare").refresh_token().unwrap();
        assert_eq!((token.token.expose(), token.token_type, token.expires_in), ("IGQVJrefreshed2", None, None));
    }),
    ("tokens/refresh-short", |api| {
        let error = api.clone().with_token("IGQVJshort1").refresh_token().unwrap_err();
        assert!(error.is_token_invalid());
    }),
    ("tokens/short-array", |api| {
        let token = exchange(api, "CODEthree").unwrap();
        assert_eq!((token.user_id.as_deref(), token.permissions.as_slice()), (Some(ME), &["instagram_business_basic".to_owned()][..]));
    }),
    ("tokens/short-array-text-id", |api| assert_eq!(exchange(api, "CODEfour").unwrap().user_id.as_deref(), Some(ME))),
    ("tokens/short-number", |api| {
        let token = exchange(api, "CODEone").unwrap();
        assert_eq!((token.token.expose(), token.user_id.as_deref()), ("IGQVJshort1", Some(ME)));
        assert!(token.permissions.is_empty());
    }),
    ("tokens/short-wrapped", |api| {
        let token = exchange(api, "CODEtwo").unwrap();
        assert_eq!(token.permissions, ["instagram_business_basic", "instagram_business_manage_comments"]);
    }),
    ("users/basic-display", |api| assert_eq!(api.me(U::BASIC).unwrap().media_count, Some(11))),
    ("users/by-id", |api| assert_eq!(api.user(ME, [U::Id, U::Username]).unwrap().id, ME)),
    ("users/creator", |api| {
        let user = api.clone().with_version("v25.0").me([U::Id, U::Username, U::AccountType]).unwrap();
        assert_eq!(user.account_type, Some(AccountType::MediaCreator));
    }),
    ("users/instagram-login", |api| {
        let user = api.clone().with_version("v25.0").me(U::PROFESSIONAL).unwrap();
        // Another letter case than in the reference.
        assert_eq!(user.account_type, Some(AccountType::Business));
        assert_eq!((user.followers_count, user.follows_count), (Some(3021), Some(148)));
        assert_eq!((user.id.as_str(), user.user_id.as_deref()), ("25025320000000001", Some(ME)));
        assert!(user.profile_picture_url.is_some() && user.name.as_deref() == Some("Jay Posiris"));
        let usage = api.usage();
        assert_eq!((usage.app.unwrap().call_count, usage.business[0].total_time, usage.percent()), (28, 9, Some(28)));
        assert_eq!(usage.wait(), None);
    }),
    ("users/private", |api| {
        let user = api.user("17841400000000001", U::BASIC).unwrap();
        assert_eq!((user.id.as_str(), user.username), ("17841400000000001", None));
    }),
    ("users/publishing-limit", |api| {
        #[derive(Deserialize)]
        struct Limit {
            quota_usage: u64,
            config: BTreeMap<String, u64>,
        }
        let limit: Limit = api.node("me/content_publishing_limit", &[("fields", "quota_usage,config")]).unwrap();
        assert_eq!((limit.quota_usage, limit.config["quota_duration"]), (2, 86_400));
    }),
    ("users/whole", |api| {
        let user = api.me([U::Id, U::Biography, U::Website]).unwrap();
        assert_eq!(user.id, "25025320000000001");
        assert_eq!(user.biography.as_deref(), Some("Runs. Cooks.\nLives by the sea \u{1f30a}"));
        assert_eq!(user.website.as_deref(), Some("https://example.com/jay"));
    }),
    ("users/with-media", |api| {
        let user = api.me(Fields::from(U::Id).with(U::Media, "id,caption,children{id}")).unwrap();
        let page = user.media.unwrap();
        assert_eq!((ids(&page.data), page.next_cursor()), (vec![IMAGE, ALBUM], Some("QVFIUmh")));
        assert_eq!(children(&page.data[1]).len(), 2);
    }),
    ("users/wrapped", |api| {
        let user: User = api.me([U::UserId, U::Username]).unwrap();
        assert_eq!((user.id.as_str(), user.user_id.as_deref()), ("25025320000000001", Some(ME)));
    }),
];

fn children(album: &Media) -> &[Media] {
    album.children.as_deref().unwrap()
}

fn ids(media: &[Media]) -> Vec<&str> {
    media.iter().map(|media| media.id.as_str()).collect()
}

fn page(mut pages: mingram::Pages<Media>) -> Page<Media> {
    pages.next().unwrap().unwrap()
}

fn feed(api: &Api, cursor: Option<&str>) -> Page<Media> {
    let edge = api.my_media(M::WITH_CHILDREN).page_size(4);
    page(match cursor {
        Some(cursor) => edge.after(cursor).pages(),
        None => edge.pages(),
    })
}

fn back(api: &Api, cursor: &str) -> Page<Media> {
    page(api.my_media([M::Id]).page_size(2).before(cursor).pages())
}

fn tags(api: &Api) -> mingram::Edge<Media> {
    let tags = api.edge("me/tags").page_size(2);
    tags.param("fields", "id,username")
}

fn refused(api: &Api, id: &str) -> Error {
    api.media(id, "").unwrap_err()
}

/// The message ends in these words.
#[track_caller]
fn says(error: &Error, words: &str) {
    assert!(error.to_string().ends_with(words), "{error}");
}

#[track_caller]
fn app_is_off(error: Error, status: u16) {
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Api, Some(status))
    );
    assert!(error.is_app_disabled() && !error.is_transient());
    // No login helps.
    assert!(!error.is_permission_missing() && !error.is_token_invalid());
    says(
        &error,
        "; the app is switched off: reactivate it in Meta's app dashboard, then get a new token",
    );
}

fn known(api: &Api, id: &str) -> ApiError {
    refused(api, id).api_error().unwrap().clone()
}

fn app() -> App {
    App::new("1903003", "SECRETsample", "https://example.com/auth")
}

fn exchange(api: &Api, code: &str) -> mingram::Result<mingram::auth::ShortLivedToken> {
    api.exchange_code(&app(), &Code::new(code))
}

#[test]
fn every_fixture_is_understood() {
    let exchanges = fixtures();
    let names: Vec<&str> = exchanges
        .iter()
        .map(|exchange| exchange.name.as_str())
        .collect();
    let rows: Vec<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names, rows,
        "a fixture without a row, or a row without a fixture"
    );
    for (exchange, (name, check)) in exchanges.into_iter().zip(TABLE) {
        println!("{name}");
        // One exchange at a time: the row must ask for this one and no other.
        let replay = Replay::start(vec![exchange]).unwrap();
        check(&api(&replay.url()));
        assert!(!replay.received().is_empty());
    }
}

#[test]
fn every_fixture_plays_without_a_socket() {
    for (name, check) in TABLE {
        println!("{name}");
        let file = format!("{}/fixtures/{name}.http", env!("CARGO_MANIFEST_DIR"));
        let replay = transport::Replay::new().with_file(file).unwrap();
        check(
            &Api::new(TOKEN)
                .with_transport(replay.clone().repeating())
                .with_retries(0),
        );
        assert!(replay.unused().is_empty());
    }
}

#[test]
fn every_fixture_is_a_whole_exchange_without_a_secret() {
    for exchange in fixtures() {
        let name = &exchange.name;
        let reply = &exchange.reply;
        let end = reply
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("{name}: no headers"))
            + 4;
        let head = std::str::from_utf8(&reply[..end]).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap();
        assert_eq!(
            length,
            (reply.len() - end).to_string(),
            "{name}: its Content-Length is not that of its body"
        );
        assert!(
            ["https://graph.instagram.com", "https://api.instagram.com"]
                .contains(&exchange.origin.as_str()),
            "{name}"
        );
        // Real tokens are far longer than the made-up ones.
        let all = format!(
            "{} {} {}",
            exchange.target,
            exchange.form,
            String::from_utf8_lossy(reply)
        );
        for word in all.split(|c: char| !c.is_ascii_alphanumeric()) {
            assert!(
                !(word.starts_with("IG") && word.len() > 20),
                "{name}: {word} looks like a token"
            );
        }
    }
}

#[test]
fn what_was_not_recorded_is_refused() {
    let (replay, api) = common::replay();
    let error = api.me([U::Name]).unwrap_err();
    assert_eq!(
        (error.kind(), error.status()),
        (ErrorKind::Status, Some(404))
    );
    assert!(
        error
            .to_string()
            .contains("not recorded: GET /me?fields=name"),
        "{error}"
    );
    assert_eq!(
        param(&replay.received()[0], "fields").as_deref(),
        Some("name")
    );
}
