#!/usr/bin/python3
"""Paints the pictures of the built-in sample: python3 paint.py

Deterministic. Needs Debian's python3-numpy and python3-pil, and ffmpeg for the video.
The pictures are part of this repository and have its licence.
"""

import pathlib
import subprocess

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent / "media"
SCALE = 2  # painted at twice the size, for smooth edges


def rgb(text):
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)], float)


class Picture:
    """A canvas of 640 units in width, with y downwards."""

    def __init__(self, height=640, width=640):
        self.w, self.h = width, height
        y, x = np.mgrid[0 : height * SCALE, 0 : width * SCALE]
        self.x, self.y = (x + 0.5) / SCALE, (y + 0.5) / SCALE
        self.px = np.zeros((height * SCALE, width * SCALE, 3))

    def sky(self, *colours):
        stops = np.linspace(0, self.h, len(colours))
        cs = np.array([rgb(c) for c in colours])
        for i in range(3):
            self.px[..., i] = np.interp(self.y, stops, cs[:, i])

    def paint(self, mask, colour, alpha=1.0):
        a = (mask * alpha)[..., None]
        self.px = self.px * (1 - a) + rgb(colour) * a

    def fade(self, mask, top, bottom, y0, y1):
        """A vertical gradient inside a mask."""
        t = np.clip((self.y - y0) / (y1 - y0), 0, 1)[..., None]
        colour = rgb(top) * (1 - t) + rgb(bottom) * t
        a = mask[..., None].astype(float)
        self.px = self.px * (1 - a) + colour * a

    def disc(self, cx, cy, r):
        return np.hypot(self.x - cx, self.y - cy) < r

    def glow(self, cx, cy, r, colour, alpha):
        d = np.hypot(self.x - cx, self.y - cy) / r
        self.paint(np.exp(-d * d), colour, alpha)

    def ridge(self, base, amp, seed, scale=160, rough=0.5):
        """Everything below a hilly line."""
        return self.y > base + amp * noise(self.x[0], seed, scale, rough)[None, :]

    def triangles(self, cx, base, w, h):
        return (self.y < base) & (self.y > base - h) & (np.abs(self.x - cx) < w / 2 * (self.y - base + h) / h)

    def image(self):
        px = Image.fromarray(np.clip(self.px, 0, 255).round().astype("uint8"))
        return px.resize((self.w, self.h), Image.LANCZOS)


def noise(x, seed, scale, rough):
    """Smooth noise from -1 to 1: waves of shrinking length."""
    r = np.random.RandomState(seed)
    total, weight = np.zeros_like(x), 0
    for octave in range(5):
        a = rough**octave
        p, q = r.uniform(0, 2 * np.pi, 2)
        k = 2 * np.pi / scale * 1.9**octave
        total += a * (0.6 * np.sin(x * k + p) + 0.4 * np.sin(x * k * 0.53 + q))
        weight += a
    return total / weight


def harbour():
    p = Picture(800)
    p.sky("f3b58a", "f7d3ae", "fbe7cd", "e9d9c9")
    p.glow(430, 330, 260, "fff2d6", 0.9)
    p.paint(p.disc(430, 318, 46), "fffaf0")
    p.fade(p.ridge(372, 26, 4, 300, 0.35), "a9a3b4", "c9b9bb", 340, 430)
    p.fade(p.ridge(398, 18, 9, 220, 0.4), "7d7f9b", "a99fae", 370, 440)
    p.fade(p.y > 430, "d8b7a6", "3d4f70", 430, 800)
    for i in range(17):  # the sun on the water
        y = 442 + i * i * 1.15
        half = 16 + i * 7.5 + 8 * np.sin(i * 2.3)
        cx = 430 + 9 * np.sin(i * 1.7)
        band = (np.abs(p.y - y) < 1.3 + i * 0.32) & (np.abs(p.x - cx) < half)
        p.paint(band, "fff0d8", 0.85 - i * 0.035)
    for cx, base, s in ((150, 520, 1.0), (250, 474, 0.5)):  # two boats
        p.paint(p.triangles(cx + 2 * s, base - 14 * s, 74 * s, 150 * s) & (p.x > cx), "2b3557")
        p.paint(p.triangles(cx - 4 * s, base - 14 * s, 60 * s, 112 * s) & (p.x < cx - 4 * s), "39466b")
        hull = (p.y > base - 10 * s) & (p.y < base + 10 * s) & (np.abs(p.x - cx) < 58 * s - (p.y - base + 10 * s) * 0.9)
        p.paint(hull, "222a47")
    return p


def island(sky, sun, sun_y, far, near, sea, light):
    p = Picture(640)
    p.sky(*sky)
    p.glow(320, sun_y, 210, light, 0.55)
    p.paint(p.disc(320, sun_y, 58), sun)
    p.fade(p.y > 410, *sea, 410, 640)
    bump = 120 * np.exp(-(((p.x - 205) / 92) ** 2)) + 66 * np.exp(-(((p.x - 325) / 70) ** 2))
    p.paint((p.y > 414 - bump) & (p.y < 412), far)
    bump = 92 * np.exp(-(((p.x - 470) / 66) ** 2)) + 40 * np.exp(-(((p.x - 560) / 50) ** 2))
    p.paint((p.y > 426 - bump) & (p.y < 424), near)
    for i in range(9):
        y = 428 + i * i * 2.1
        band = (np.abs(p.y - y) < 1.2 + i * 0.5) & (np.abs(p.x - 320) < 48 + i * 17 + 14 * np.sin(i * 2.1))
        p.paint(band, light, 0.7 - i * 0.05)
    return p


def islands():
    yield island(("9fc3cf", "cfe0d9", "f6e6cf", "f6e6cf"), "fff9ec", 300, "5f8792", "33606f", ("b9d0cd", "3f7482"), "fffaf0")
    yield island(("3d8fb5", "86c1cf", "d5ead9", "d5ead9"), "fff6c9", 130, "2f7d6f", "17564f", ("4fb0b5", "145a78"), "e9fbf0")
    yield island(("5b3a63", "c2566b", "f59a62", "fbc97c"), "ffe0a3", 352, "6a3358", "3f1d42", ("d0696a", "432045"), "ffd391")
    yield island(("0e1730", "182850", "2c4474", "2c4474"), "eef2fb", 150, "16264a", "0b1530", ("22386a", "0a122b"), "cfdcf7")


def dunes():
    p = Picture(800)
    p.sky("f7ead7", "f6d9b5", "efb986")
    p.paint(p.disc(470, 190, 62), "e2683d")
    layers = [
        (360, 60, 3, 620, "e8a468", "dd9257"),
        (450, 70, 12, 700, "d98349", "c66c3a"),
        (560, 80, 25, 640, "b9562f", "9a4327"),
        (690, 70, 31, 720, "7c3322", "571f1a"),
    ]
    for base, amp, seed, scale, top, bottom in layers:
        p.fade(p.ridge(base, amp, seed, scale, 0.25), top, bottom, base - amp, base + 170)
        lit = p.ridge(base, amp, seed, scale, 0.25) & ~p.ridge(base + 16, amp * 1.25, seed, scale, 0.25)
        p.paint(lit, "ffd9a0", 0.35)
    return p


def pines():
    p = Picture(800)
    p.sky("dfe8e4", "c8d9d5", "a9c4c0")
    r = np.random.RandomState(7)
    rows = [(360, 26, "a7c3bf"), (450, 34, "7fa5a2"), (560, 46, "4f7d7d"), (700, 64, "285356"), (850, 88, "10302f")]
    for base, size, colour in rows:
        p.paint(p.y > base, colour)
        x = -20.0
        while x < 680:
            h = size * r.uniform(1.7, 3.1)
            for k in range(3):
                p.paint(p.triangles(x, base + 4 - k * h * 0.26, size * (1.05 - 0.24 * k), h * 0.5), colour)
            x += size * r.uniform(0.5, 0.95)
        p.paint(np.clip(1 - np.abs(p.y - base - 30) / 75, 0, 1) * (p.y > base - 70), "e8efec", 0.30)
    return p


def moonrise():
    p = Picture(640)
    p.sky("141b3c", "2f3568", "7a5a8c", "d98c8f")
    r = np.random.RandomState(3)
    for _ in range(70):
        x, y = r.uniform(0, 640), r.uniform(0, 300)
        p.paint(p.disc(x, y, r.uniform(0.7, 1.6)), "ffffff", r.uniform(0.35, 0.9))
    p.glow(230, 240, 190, "f6d9c8", 0.45)
    p.paint(p.disc(230, 240, 84), "fbeee0")
    for x, y, s in ((205, 215, 16), (262, 262, 22), (250, 205, 9), (205, 275, 8)):
        p.paint(p.disc(x, y, s), "ecd6c6", 0.7)
    for base, amp, seed, top, bottom in (
        (400, 90, 21, "80608f", "b8788c"),
        (470, 84, 5, "4f4578", "80608f"),
        (545, 70, 16, "272a55", "463d70"),
        (610, 40, 8, "0f1434", "1b1f45"),
    ):
        p.fade(p.ridge(base, amp, seed, 330, 0.5), top, bottom, base - amp, base + 120)
    return p


def arches():
    p = Picture(640)
    p.px[:] = rgb("f4ebdd")
    for cx, base, colours in (
        (215, 500, ("1f3b4d", "f4ebdd", "d9603b", "f4ebdd", "e8a948", "f4ebdd", "1f3b4d")),
        (455, 560, ("2f6f6a", "f4ebdd", "e8a948", "f4ebdd", "c94f3d")),
    ):
        r = 38 + 22 * len(colours) - (0 if len(colours) > 5 else 8)
        for colour in colours:
            arch = p.disc(cx, base - 200, r) | ((p.y > base - 200) & (p.y < base) & (np.abs(p.x - cx) < r))
            p.paint(arch & (p.y < base), colour)
            r -= 22
    p.paint(p.disc(500, 130, 54), "d9603b")
    p.paint((p.y > 500) & (p.y < 504) & (p.x > 24) & (p.x < 616) & ~((p.x > 300) & (p.x < 590)), "1f3b4d")
    p.paint((p.y > 560) & (p.y < 564) & (p.x > 24) & (p.x < 616), "1f3b4d")
    return p


def aurora():
    p = Picture(800)
    p.sky("07122b", "0b2340", "12385a", "1c4a66")
    r = np.random.RandomState(11)
    for _ in range(110):
        p.paint(p.disc(r.uniform(0, 640), r.uniform(0, 540), r.uniform(0.6, 1.4)), "ffffff", r.uniform(0.3, 0.9))
    for seed, base, colour, alpha in ((2, 380, "3fe0a1", 0.75), (6, 320, "5fd0d6", 0.5), (13, 270, "9a7be0", 0.45)):
        line = base + 70 * noise(p.x[0], seed, 520, 0.45)[None, :]
        up = np.clip((line - p.y) / 250, 0, 1)
        curtain = np.where(p.y < line, (1 - up) ** 2, np.exp(-(((p.y - line) / 16) ** 2)))
        curtain = curtain * (0.72 + 0.28 * noise(p.x[0], seed + 40, 60, 0.6)[None, :])
        p.paint(np.clip(curtain, 0, 1), colour, alpha)
    p.fade(p.ridge(590, 60, 17, 360, 0.5), "0c2138", "081528", 540, 700)
    p.fade(p.ridge(690, 44, 27, 300, 0.5), "061021", "040a16", 650, 800)
    return p


def leaves():
    p = Picture(640)
    p.px[:] = rgb("e9efe4")
    p.paint(p.disc(320, 320, 236), "f7d9b7")
    stem = np.abs(p.x - (320 + 34 * np.sin((p.y - 90) / 170))) < 3.2
    p.paint(stem & (p.y > 96) & (p.y < 600), "1f4a3c")
    greens = ("1f4a3c", "2f6b52", "4d8a63", "7aa874")
    for i in range(8):
        y = 560 - i * 58
        cx = 320 + 34 * np.sin((y - 90) / 170)
        size = 196 - i * 13
        for side in (-1, 1):
            a = np.deg2rad(-26 - i * 4)
            dx, dy = (p.x - cx) * side, p.y - y + (12 if side > 0 else -12)
            u = dx * np.cos(a) + dy * np.sin(a)
            v = -dx * np.sin(a) + dy * np.cos(a)
            t = u / size
            width = 0.21 * size * np.sin(np.pi * np.clip(t, 0, 1) ** 0.8)
            leaf = (t > 0) & (t < 1) & (np.abs(v) < width)
            p.paint(leaf, greens[(i + (side > 0)) % 4])
            p.paint(leaf & (np.abs(v) < 1.1), "e9efe4", 0.75)
    return p


def city():
    p = Picture(800)
    p.sky("2a2f5e", "6c4a7d", "d6707b", "f6b27e")
    p.paint(p.disc(420, 470, 92), "ffdf9e")
    r = np.random.RandomState(5)
    for base, colour, low, high, lit in ((610, "94567c", 40, 250, 0), (690, "5a3c6a", 60, 300, 0.28), (800, "241f46", 110, 380, 0.34)):
        x = -10
        while x < 640:
            w, h = int(r.randint(44, 84)), int(r.randint(low, high))
            block = (p.x > x) & (p.x < x + w) & (p.y > base - h)
            p.paint(block, colour)
            if r.rand() < 0.3:
                p.paint((np.abs(p.x - x - w / 2) < 1.6) & (p.y > base - h - 34) & (p.y < base - h), colour)
            if lit:
                for wy in range(base - h + 16, 800, 26):
                    for wx in range(x + 10, x + w - 14, 18):
                        if r.rand() < lit:
                            p.paint((p.x > wx) & (p.x < wx + 8) & (p.y > wy) & (p.y < wy + 12), "ffd489", 0.92)
            x += w + int(r.randint(-2, 5))
    return p


def terraces():
    p = Picture(640)
    p.px[:] = rgb("16463f")
    colours = ("1d5a4b", "2d7556", "4a9163", "7bb074", "b3cf8a", "e3e7b0", "f7efcf")
    field = 1.15 * noise(p.x, 14, 720, 0.4) + 1.0 * noise(p.y + 0.35 * p.x, 23, 560, 0.45)
    for i, colour in enumerate(colours):
        level = -0.75 + i * 0.27
        p.paint(field > level, "0e332e", 0.30)
        p.paint(field > level + 0.022, colour)
    p.paint(p.disc(462, 170, 50), "e4643f")
    return p


def volcano():
    p = Picture(640)
    p.px[:] = rgb("f2e3cf")
    p.paint(p.disc(320, 250, 170), "d2452f")
    slope = 150 + 1.15 * np.abs(p.x - 320) - 0.0011 * (p.x - 320) ** 2
    cone = p.y > np.maximum(slope + 60, 262 + 5 * np.sin(p.x / 7))
    p.fade(cone, "31405f", "1c2740", 250, 560)
    p.paint(cone & (p.y < 320 + 22 * noise(p.x[0], 4, 60, 0.7)[None, :]), "f6efe4")
    for y, a, x0, x1 in ((398, 0.9, 0, 300), (432, 0.85, 250, 640), (470, 0.95, 60, 470)):
        p.paint((np.abs(p.y - y) < 9) & (p.x > x0) & (p.x < x1) | p.disc(x0, y, 9) | p.disc(x1, y, 9), "f2e3cf", a)
    p.paint(p.y > 540, "1c2740")
    for i in range(4):
        p.paint(np.abs(p.y - 556 - i * 22 - 3 * np.sin(p.x / 26 + i)) < 1.4 + i * 0.3, "f2e3cf", 0.6)
    return p


def tide(t):
    """A frame of the video; `t` from 0 to 1 and around again."""
    p = Picture(600, 480)
    turn = 2 * np.pi * t
    p.sky("f6d7a8", "f2a97e", "d5707a")
    cy = 250 + 14 * np.sin(turn)
    p.glow(240, cy, 180, "ffedc4", 0.6)
    p.paint(p.disc(240, cy, 74), "fff3d9")
    for i, colour in enumerate(("b4556f", "8c4267", "64315c", "3f2350", "23173c")):
        k = 2 * np.pi / (480 / (2 + i % 3))
        line = 330 + i * 54 + (10 + i * 3) * np.sin(k * p.x + turn * (1 if i % 2 else -1) + i * 1.3)
        p.paint(p.y > line, colour)
        p.paint((p.y > line) & (p.y < line + 3), "ffd9b0", 0.35)
    return p


def portrait():
    p = Picture(160, 160)
    p.px[:] = rgb("e8a948")
    p.paint(p.disc(104, 56, 26), "fff3d9")
    p.paint(p.y > 100 - 22 * np.sin(p.x / 34 + 0.6), "d9603b")
    p.paint(p.y > 122 - 14 * np.sin(p.x / 27 + 2.4), "1f3b4d")
    return p


def save(name, picture):
    """WebP is the smallest; one JPEG and one PNG are for the reader of sizes."""
    image = picture.image()
    if name == "dunes":
        image.save(HERE / f"{name}.jpg", quality=60, optimize=True, progressive=True)
    elif name == "portrait":
        image.quantize(64, dither=0).save(HERE / f"{name}.png", optimize=True)
    else:
        # Smooth skies show the edges of blocks first.
        smooth = name.startswith(("island", "harbour", "moonrise", "tide", "aurora"))
        image.save(HERE / f"{name}.webp", quality=84 if smooth else 64, method=6)


def main():
    HERE.mkdir(exist_ok=True)
    for paint in (harbour, dunes, pines, moonrise, arches, aurora, leaves, city, terraces, volcano, portrait):
        save(paint.__name__, paint())
    for number, picture in enumerate(islands(), 1):
        save(f"island-{number}", picture)
    save("tide", tide(0))
    frames = 48
    encoder = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "480x600", "-r", "16", "-i", "-"]
    encoder += ["-c:v", "libx264", "-preset", "veryslow", "-tune", "animation", "-crf", "33", "-pix_fmt", "yuv420p"]
    encoder += ["-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", HERE / "tide.mp4"]
    video = subprocess.Popen(encoder, stdin=subprocess.PIPE)
    for frame in range(frames):
        video.stdin.write(tide(frame / frames).image().tobytes())
    video.stdin.close()
    if video.wait() != 0:
        raise SystemExit("ffmpeg failed")


main()
