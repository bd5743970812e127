"""Checks a gallery: gallery.py MINGRAM DIR

DIR/site is the gallery of the sample. Parses its files, opens the page in chromium at two
widths, uses it with mouse and keyboard, and writes screenshots to DIR. Then does the same
for an account whose texts are hostile.
"""

import base64
import fcntl
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import feedparser
import html5lib

# What a page may refer to outside of its folder, in links that a person clicks.
PAGES = ("https://www.instagram.com/", "https://example.com/")
LOADING = {"img": "src", "video": "src", "source": "src", "script": "src", "iframe": "src", "object": "data", "embed": "src"}


def check(condition, what):
    if not condition:
        sys.exit(f"gallery: {what}")


def same(found, wanted, what):
    check(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


# Files


def check_html(site):
    """Valid HTML whose references are all in the folder."""
    text = (site / "index.html").read_bytes()
    parser = html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
    document = parser.parse(text, transport_encoding="utf-8")
    ids = [element.get("id") for element in document.iter() if element.get("id")]
    same(len(ids), len(set(ids)), "ids that occur twice")
    for element in document.iter():
        for name, value in element.attrib.items():
            check(not name.startswith("on") and name != "style", f"attribute {name}={value}")
            if name in ("src", "poster", "data") or (name == "href" and element.tag == "link"):
                check(value == "data:," or (site / urllib.parse.unquote(value)).is_file(), f"{value} is not in the folder")
            elif name == "href" and value.startswith("#"):
                check(value[1:] in ids, f"{value} leads nowhere")
            elif name == "href":
                check(value == "feed.xml" or value.startswith(PAGES), f"a link to {value}")
        check(element.tag not in ("script", "iframe", "object", "embed", "base", "form"), f"element {element.tag}")
        if element.tag == "img":
            check(element.get("alt") is not None and element.get("width") and element.get("height"), "an img without alt or size")
    for tile in document.findall(".//a[@class='tile']"):
        name = "".join(e.get("alt") or e.get("aria-label") or "" for e in tile.iter()) + "".join(tile.itertext())
        check(name.strip(), "a tile without a name")
    return document


def check_feed(site, posts):
    feed = feedparser.parse(str(site / "feed.xml"))
    check(not feed.bozo, f"feed.xml: {feed.get('bozo_exception')}")
    same(feed.version, "atom10", "the version of the feed")
    same(len(feed.entries), len(posts), "entries of the feed")
    for entry, post in zip(feed.entries, posts):
        check(entry.id.endswith(post["id"]) and entry.title and entry.updated_parsed, f"entry {entry.id}")
        check(entry.link.startswith(("https://www.instagram.com/", "index.html#p")), f"a link to {entry.link}")
        check("<script" not in entry.content[0].value.lower(), f"entry {entry.id} has a script")


def check_json(site):
    posts = json.loads((site / "instagram.json").read_text())
    keys = {"id", "published", "caption", "alt", "permalink", "kind", "files", "children"}
    for post in posts:
        same(set(post), keys, "keys of a post")
        for file in post["files"] + [file for child in post["children"] for file in child["files"]]:
            same((site / file["path"]).stat().st_size, file["size"], f"size of {file['path']}")
            check(file["width"] > 0 and file["height"] > 0, f"{file['path']} has no size")
    return posts


# The browser


class Browser:
    """Chromium, driven over a pipe by the DevTools protocol."""

    def __init__(self, home):
        to_child, self.write_end = os.pipe()
        self.read_end, from_child = os.pipe()
        # High numbers, so that neither is 3 or 4.
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in (to_child, from_child)]
        fonts = pathlib.Path(home) / "fonts.conf"
        fonts.write_text(
            "<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig>"
            "<include>/etc/fonts/fonts.conf</include>"
            "<match><test name='family' qual='any' compare='contains'><string>sans</string></test>"
            "<edit name='family' mode='prepend' binding='strong'><string>Inter</string></edit></match></fontconfig>"
        )
        command = [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
            "--remote-debugging-pipe", f"--user-data-dir={home}/profile", "about:blank",
        ]  # fmt: skip
        # The browser reads from 3 and writes to 4.
        script = f'exec "$@" 3<&{theirs[0]} 4>&{theirs[1]} {theirs[0]}<&- {theirs[1]}>&-'
        self.process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stderr=open(f"{home}/chromium.log", "w"),
            env={**os.environ, "FONTCONFIG_FILE": str(fonts), "HOME": str(home)},
        )
        for fd in (to_child, from_child, *theirs):
            os.close(fd)
        self.buffer, self.next, self.events, self.session = b"", 0, [], None
        watchdog = threading.Timer(300, self.process.kill)
        watchdog.daemon = True
        watchdog.start()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def read(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.read_end, 1 << 20)
            check(piece, "chromium ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.next += 1
        message = {"id": self.next, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            reply = self.read()
            if reply.get("id") == self.next:
                check("error" not in reply, f"{method}: {reply.get('error')}")
                return reply["result"]
            self.events.append(reply)

    def run(self, script):
        """The value of a JavaScript expression, or of its promise."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        check("exceptionDetails" not in result, f"{script}: {result.get('exceptionDetails')}")
        return result["result"].get("value")

    def wait(self, script, what):
        for _ in range(200):
            if self.run(script):
                return
            time.sleep(0.05)
        check(False, f"{what}: waited in vain for {script}")

    def open(self, url, width, height, scheme="light", phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, screenWidth=width, screenHeight=height, deviceScaleFactor=2 if phone else 1, mobile=phone)
        features = [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait(f"location.href == {json.dumps(url)} && document.readyState == 'complete'", "loading")
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, key, code=0):
        text = {"Enter": "\r"}.get(key)
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def click(self, selector):
        point = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=point[0], y=point[1], button="left", clickCount=1)

    def screenshot(self, path):
        self.run("Promise.all([...document.images].filter(i => i.complete && i.checkVisibility()).map(i => i.decode().catch(() => 0)))")
        options = {"quality": 88} if path.suffix == ".webp" else {}
        shot = self.call("Page.captureScreenshot", format=path.suffix[1:], **options)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        os.close(self.write_end)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def check_requests(self, site):
        """Nothing was requested outside of the folder, nothing failed, nothing was logged."""
        inside = site.resolve().as_uri() + "/"
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Network.requestWillBeSent":
                url = params["request"]["url"]
                check(url.startswith((inside, "data:", "about:")), f"a request to {url}")
            elif event["method"] == "Network.loadingFailed":
                check(params.get("canceled"), f"a request failed: {params}")
            elif event["method"] == "Log.entryAdded":
                check(params["entry"]["level"] != "error", f"logged: {params['entry']}")


LOADED = "[...document.querySelectorAll('{}')].every(i => i.complete && i.naturalWidth > 0)"
SHIFTS = """new Promise(done => {
  let sum = 0
  new PerformanceObserver(list => { for (const entry of list.getEntries()) sum += entry.value }).observe({type: 'layout-shift', buffered: true})
  setTimeout(() => done(sum), 100)
})"""
OVERFLOW = "document.documentElement.scrollWidth > screen.width || [...document.querySelectorAll('.post')].some(p => p.scrollWidth > p.clientWidth)"


def check_page(browser, site, width, height, columns, shots, phone=False):
    url = (site / "index.html").resolve().as_uri()
    visible = "[...document.querySelectorAll('.post')].filter(p => p.checkVisibility()).map(p => p.id)"
    for scheme in ("light", "dark"):
        browser.open(url, width, height, scheme, phone)
        browser.screenshot(shots / f"{width}-{scheme}.png")
        # Lazy pictures load when they come near.
        browser.run("(async () => { for (let y = 0; y < document.body.scrollHeight; y += 300) { scrollTo(0, y); await new Promise(requestAnimationFrame) } scrollTo(0, 0) })()")
        browser.wait(LOADED.format("header img, main img"), f"{width}: pictures")
        check(not browser.run(OVERFLOW), f"{width}: something is wider than the page")
        same(browser.run(SHIFTS), 0, f"{width}: what moved while the page loaded")
        same(browser.run("getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length"), columns, "columns")
        same(browser.run(visible), [], "posts that are open at first")
        dark = browser.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(n => n < 64)")
        same(dark, scheme == "dark", f"{width}: dark in {scheme}")
    ids = browser.run("[...document.querySelectorAll('.tile')].map(t => t.id.slice(1))")
    for number, id in enumerate(ids):
        # The first with the mouse, the others as quickly as possible.
        if number == 0:
            browser.click(f"#t{id}")
        else:
            browser.run(f"location.hash = 'p{id}'")
        browser.wait(f"{visible}.join() == 'p{id}'", f"{width}: post {id} opens")
        browser.wait(LOADED.format(f"#p{id} .stage > img, #p{id} li:first-child img"), f"{width}: pictures of {id}")
        check(not browser.run(OVERFLOW), f"{width}: post {id} is wider than the page")
        check(not browser.run("document.querySelector('main').checkVisibility({visibilityProperty: true})"), "the grid is reachable behind a post")
        box = browser.run(f"(r => [r.left, r.top, r.right, r.bottom, r.width, r.height])(document.querySelector('#p{id} .stage :is(img, video)').getBoundingClientRect())")
        check(box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height and box[4] > 200 and box[5] > 200, f"{width}: post {id} is not in view: {box}")
        sizes = browser.run(f"[...document.querySelectorAll('#p{id} .stage > img')].every(i => i.getAttribute('width') == i.naturalWidth && i.getAttribute('height') == i.naturalHeight)")
        check(sizes, f"{width}: sizes of {id}")
        kind = browser.run(f"document.querySelector('#p{id} .slides') ? 'album' : document.querySelector('#p{id} video') ? 'video' : 'image'")
        for scheme in ("light", "dark"):
            shot = shots / f"{width}-{scheme}-{kind}.png"
            if not shot.exists():
                if kind == "video":
                    # Its controls settle.
                    time.sleep(1)
                browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
                browser.screenshot(shot)
        if kind == "album":
            check_album(browser, id, visible)
        if kind == "video" and browser.run(f"!!document.querySelector('#p{id} video').poster"):
            size = browser.run(
                f"(async v => {{ v.muted = true; await v.play(); v.pause(); return v.videoWidth == v.getAttribute('width') && v.videoHeight == v.getAttribute('height') }})(document.querySelector('#p{id} video'))"
            )
            check(size, f"the video of {id} plays in its size")
    browser.check_requests(site)


def check_album(browser, id, visible):
    """Links and arrow keys move from one picture to the next, and the post stays open."""
    slides = f"document.querySelector('#p{id} .slides')"
    count = browser.run(f"{slides}.children.length")
    at = f"Math.round({slides}.scrollLeft / {slides}.clientWidth)"
    browser.click(f"#p{id} .thumbs li:nth-child({count}) a")
    browser.wait(f"{at} == {count - 1}", "the last picture of the album")
    same(browser.run(visible), [f"p{id}"], "the open post")
    browser.run(f"{slides}.focus()")
    browser.press("ArrowLeft", 37)
    browser.wait(f"{at} == {count - 2}", "the arrow key")


def check_keyboard(browser, site):
    """Tab, Enter, and back to the same tile."""
    browser.open((site / "index.html").resolve().as_uri(), 1280, 800)
    focus = "document.activeElement.id || document.activeElement.className"
    for _ in range(20):
        browser.press("Tab", 9)
        if browser.run("document.activeElement.className == 'tile'"):
            break
    browser.press("Tab", 9)
    tile = browser.run(focus)
    browser.screenshot(site.parent / "1280-light-focus.png")
    browser.press("Enter", 13)
    post = "p" + tile[1:]
    browser.wait(f"document.activeElement.id == '{post}'", "Enter opens the post and moves the focus there")
    browser.press("Tab", 9)
    same(browser.run(focus), "close", "the focus after Tab")
    seen = set()
    for _ in range(30):
        browser.press("Tab", 9)
        inside = browser.run("document.activeElement == document.body || !!document.activeElement.closest('.post')")
        check(inside, "Tab leaves an open post")
        seen.add(browser.run(focus))
    check({"newer", "older"} <= seen, f"Tab does not reach the neighbours: {seen}")
    browser.run(f"document.querySelector('#{post} .close').focus()")
    browser.press("Enter", 13)
    browser.wait(f"document.activeElement.id == '{tile}'", "closing returns to the tile")


# An account whose texts are hostile

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)> #\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "]]></content><entry><script>alert(1)</script> --> <!-- ",
    "\u202eright to left\u2066 and\u2028lines\u2029 \u0000\u0001\u0008\u000b\ufffe\ufdd0\U0001ffff",
    "&lt;script&gt; &amp;quot; &#60;b&#62; &",
    "#" + "x" * 3000,
    "w" * 3000,
    "</style></title></textarea></noscript><plaintext>",
    "#नमस्ते #日本語。#emoji🌅 #1 #_ # ##two",
    "",
]


def hostile_account(picture):
    """A server on the loopback interface."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.split("?")[0]
            host = f"http://{self.headers['Host']}"
            if path == "/me":
                body = {"id": "7", "username": HOSTILE[1], "name": HOSTILE[0], "biography": "\n".join(HOSTILE),
                        "website": "javascript:alert(1)", "profile_picture_url": f"{host}/picture.webp?\"><script>", "media_count": len(HOSTILE)}  # fmt: skip
            elif path == "/me/media":
                body = {"data": [
                    {"id": str(100 + i), "caption": text, "alt_text": text if i % 2 else None, "media_type": "IMAGE", "media_url": f"{host}/{i}.webp",
                     "permalink": ["javascript:alert(1)", "https://www.instagram.com/p/\"><script>", "data:text/html,x", None][i % 4],
                     "timestamp": ["2026-11-21T07:12:00+0000", "<b>", None][i % 3]}
                    for i, text in enumerate(HOSTILE)]}  # fmt: skip
            else:
                body = picture
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def check_hostile(browser, mingram, out):
    site = out / "hostile"
    picture = next((out / "site" / "media").glob("2026*.webp")).read_bytes()
    environment = {**os.environ, "INSTAGRAM_TOKEN": "IGQVJsampletoken", "INSTAGRAM_BASE_URL": hostile_account(picture)}
    subprocess.run([mingram, "gallery", site], env=environment, check=True)
    document = check_html(site)
    posts = check_json(site)
    same(len(posts), len(HOSTILE), "hostile posts")
    check_feed(site, posts)
    # Each caption is there as text, apart from characters that HTML does not have.
    shown = ["".join(p.itertext()) for p in document.findall(".//p[@class='caption']")]
    check(HOSTILE[0] in shown and HOSTILE[8] in shown, "captions as text")
    for width, height in ((400, 800), (1280, 800)):
        browser.open((site / "index.html").resolve().as_uri(), width, height)
        same(browser.run("document.scripts.length"), 0, "scripts")
        check(not browser.run(OVERFLOW), f"{width}: a hostile text is wider than the page")
        for post in posts:
            browser.run(f"location.hash = 'p{post['id']}'")
            check(not browser.run(OVERFLOW), f"{width}: post {post['id']} is wider than the page")
        browser.check_requests(site)


def main():
    mingram, out = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    site = out / "site"
    check_html(site)
    posts = check_json(site)
    check_feed(site, posts)
    same(len(posts), 12, "posts")
    with tempfile.TemporaryDirectory() as home:
        browser = Browser(home)
        try:
            check_page(browser, site, 400, 800, 2, out, phone=True)
            check_page(browser, site, 740, 360, 3, out, phone=True)
            check_page(browser, site, 1280, 800, 4, out)
            check_keyboard(browser, site)
            # The picture of the README.
            browser.open((site / "index.html").resolve().as_uri(), 1280, 800)
            browser.screenshot(out / "readme.webp")
            check_hostile(browser, mingram, out)
        finally:
            browser.close()
    print(f"gallery: {len(posts)} posts, screenshots in {out}")


main()
