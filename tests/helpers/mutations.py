"""Mutations of files: what bad disks, wrong tools and hostile hands make of them."""

import gzip

LONG = 1 << 18


def mutated(content, random, mutations, most=3):
    """Bytes after one to `most` of the functions `mutations` (bytes, Random) -> bytes."""
    for _ in range(random.randint(1, most)):
        content = random.choice(mutations)(content, random)
    return content


def place(content, random):
    """Somewhere in the bytes; the first hundred, where headers are, half of the time."""
    return random.randrange(min(len(content), 100) if random.random() < 0.5 else len(content)) if content else 0


def flip(content, random):
    """One bit."""
    at = place(content, random)
    return content[:at] + bytes([byte ^ 1 << random.randrange(8) for byte in content[at : at + 1]]) + content[at + 1 :]


def overwrite(content, random):
    """Some bytes by others, or by extreme numbers."""
    at = place(content, random)
    new = random.choice([b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", random.randbytes(8)])
    return content[:at] + new + content[at + len(new) :]


def cut(content, random):
    """The end is missing."""
    return content[: place(content, random)]


def drop(content, random):
    """Some bytes are missing."""
    at = place(content, random)
    return content[:at] + content[at + random.randrange(1, 64) :]


def repeat(content, random):
    """A part comes twice."""
    at = place(content, random)
    part = content[at : at + random.randrange(1, 512)]
    return content[:at] + part + content[at:]


def insert(content, random):
    """Junk in the middle."""
    at = place(content, random)
    return content[:at] + random.randbytes(random.randrange(1, 64)) + content[at:]


def append(content, random):
    """Junk, zeros or the whole file again at the end."""
    return content + random.choice([random.randbytes(200), b"\0" * 4096, content, b"TAG" + b" " * 125])


def prepend(content, random):
    """Junk, zeros or an empty tag before the beginning."""
    return random.choice([random.randbytes(50), b"\0" * 512, b"ID3\x04\0\0\0\0\0\x20" + b"\0" * 32]) + content


BYTES = (flip, overwrite, cut, drop, repeat, insert, append, prepend)


def _lines(change):
    def mutation(content, random):
        lines = content.split(b"\n")
        change(lines, random)
        return b"\n".join(lines)

    return mutation


def _double(lines, random):
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))


def _remove(lines, random):
    del lines[random.randrange(len(lines))]


def _line_end(lines, random):
    lines[random.randrange(len(lines))] += random.choice([b"\r", b"\r\r", b"\n", b"\0", b"\x0b", b"\xc2\x85"])


def replace_token(content, random):
    """A separator, a quote, a bracket or a digit everywhere or once by another."""
    old, new = random.choices([b",", b"\t", b";", b'"', b"{", b"}", b"[", b"]", b":", b"1", b"0", b"\\", b" "], k=2)
    return content.replace(old, new, random.choice([1, 2, -1]))


def put_value(content, random):
    """A word that readers like to interpret, in the place of a field."""
    words = [
        b"NA",
        b"null",
        b"NaN",
        b"",
        b"-1",
        b"1e5",
        b"0001",
        b"inf",
        b"true",
        b"1.0",
        b"=1+1",
        b"2020-01-01",
        b"''",
    ]
    words += [b"'" * 3, b'""', b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xef\xbf\xbd", b"9" * 30, b"1_000", b" 7 "]
    fields = [at for at in range(len(content)) if content[at : at + 1] in b',\t;:"']
    if not fields:
        return content
    at = random.choice(fields) + 1
    end = min((found for mark in b',\t;"\n' if (found := content.find(bytes([mark]), at)) >= 0), default=len(content))
    return content[:at] + random.choice(words) + content[end:]


def put_long(content, random):
    """A field of a quarter of a megabyte, or nested as deep."""
    at = place(content, random)
    return content[:at] + random.choice([b"x", b"[", b'{"a":', b'"', b","]) * (LONG // 4) + content[at:]


def change_magnitudes(content, random):
    """Digits at the end of every number, or of one."""
    old, new = b"00", random.choice([b"00000", b"00000000", b"", b"00.5", b"00e3"])
    return content.replace(old, new, random.choice([1, -1]))


def change_encoding(content, random):
    """Bytes of another encoding, or a mark of one at the beginning."""
    text = content.decode("utf-8", "replace")
    return random.choice(
        [
            text.encode("utf-16"),
            text.encode("latin-1", "replace"),
            b"\xef\xbb\xbf" + content,
            b"\xef\xbb\xbf" * 2 + content,
            content.replace(b"\n", b"\r\n"),
            content.replace(b"\n", b"\r"),
            content.replace(b"a", "å".encode("latin-1")),
        ]
    )


TEXT = (
    *BYTES,
    *(_lines(change) for change in (_double, _remove, _line_end)),
    replace_token,
    put_value,
    put_value,
    put_long,
    change_magnitudes,
    change_encoding,
)


def packed(mutation):
    """A mutation of what is in a gzip file."""
    return lambda content, random: gzip.compress(mutation(gzip.decompress(content), random), mtime=0)
