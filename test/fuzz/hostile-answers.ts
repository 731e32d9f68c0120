/** Answers of servers and proxies that lie, are broken, or are no WebDAV at all. */
import type { Canned } from './canned-transport.ts'
import type { Chance } from './chance.ts'
import { hostileName } from './kinds-names.ts'
import { mutateBytes } from './mutate-bytes.ts'

const folder = '/dav/store/version/'
const names = [
  `000000000007-${'a1'.repeat(32)}`,
  `000000000000-${'0'.repeat(64)}`,
  'held-x',
  'free',
  '2024.10',
  '1e5',
]

/** A multistatus for `/dav/store/version/`, more or less. */
export function hostileMultistatus(chance: Chance): string {
  const prefix = chance.pick(['D:', 'd:', '', 'ns0:', 'lp1:', '__proto__:', 'xmlns:'])
  const name = (local: string) => (chance.maybe(0.02) ? hostileElement(chance) : `${prefix}${local}`)
  const responses = Array.from({ length: chance.pick([0, 1, 2, 2, 3, 8]) }, (_, index) => {
    const href = index === 0 && chance.maybe(0.7) ? folder : hostileHref(chance)
    const status = chance.pick([
      'HTTP/1.1 200 OK',
      'HTTP/1.1 404 Not Found',
      'HTTP/1.1',
      '',
      '200',
      'HTTP/9.9 99999',
    ])
    const resource = chance.pick([`<${prefix}collection/>`, '', 'x', '<__proto__>1</__proto__>'])
    const prop = `<${name('prop')}><${prefix}resourcetype>${resource}</${prefix}resourcetype></${prefix}prop>`
    const rest = chance.pick([
      `<${prefix}propstat>${prop}<${prefix}status>${status}</${prefix}status></${prefix}propstat>`,
      `<${prefix}status>${status}</${prefix}status>`,
      `<${prefix}propstat/>`,
      '',
      '<__proto__><polluted>true</polluted></__proto__>',
      '<constructor><prototype><polluted>1</polluted></prototype></constructor>',
    ])
    return `<${prefix}response><${prefix}href>${href}</${prefix}href>${rest}</${prefix}response>`
  })
  const head = chance.pick([
    '<?xml version="1.0" encoding="utf-8"?>\n',
    '<?xml version="1.0" encoding="utf-16"?>',
    '',
    '\ufeff<?xml version="1.0"?>',
    '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    '<!DOCTYPE m SYSTEM "file:///etc/passwd">',
    '<html><body>Please log in</body></html>',
    '<!-- <multistatus> -->',
    '<?php phpinfo() ?>',
  ])
  const opened = `<${prefix}multistatus xmlns${prefix === '' ? '' : `:${prefix.slice(0, -1)}`}="DAV:" ${hostileAttributes(chance)}>`
  const tail = chance.pick([
    '',
    '',
    '',
    '\n',
    '<!-- end -->',
    '<!---->'.repeat(chance.pick([1, 3, 40, 400])),
    `${'<!---->'.repeat(chance.pick([3, 30, 60]))}x`,
    ' '.repeat(chance.pick([10, chance.maybe(0.1) ? 200_000 : 500])).concat('x'),
    `</${prefix}multistatus>`.repeat(chance.pick([2, 40])),
    '</'.repeat(chance.maybe(0.1) ? 20_000 : 9),
    '<'.concat('multistatus'.repeat(chance.maybe(0.1) ? 20_000 : 3)),
    '\0',
  ])
  const body = chance.maybe(0.03) ? deep(chance) : responses.join(chance.pick(['', '\n', ' ']))
  return `${head}${opened}${body}</${prefix}multistatus>${tail}`
}

function deep(chance: Chance): string {
  const depth = chance.pick([50, 300, 1_000, chance.maybe(0.1) ? 20_000 : 99])
  return '<a>'.repeat(depth) + '</a>'.repeat(chance.pick([depth, 0]))
}

function hostileElement(chance: Chance): string {
  return chance.pick([
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'a b',
    '!',
    '1',
    'x'.repeat(10_000),
    '#text',
  ])
}

function hostileAttributes(chance: Chance): string {
  return chance.maybe(0.8)
    ? ''
    : chance.pick([
        '__proto__="1"',
        'a="1" a="2"',
        'constructor="x"',
        'a',
        '="',
        "a='\"'",
        `a="${'&amp;'.repeat(2_000)}"`,
      ])
}

export function hostileHref(chance: Chance): string {
  const name = chance.maybe(0.5) ? chance.pick(names) : hostileName(chance)
  const encoded = chance.maybe(0.5) && name.isWellFormed() ? encodeURIComponent(name) : name
  return chance.pick([
    `${folder}${encoded}`,
    `${folder}${encoded}/`,
    `${folder}../changes/${encoded}`,
    `${folder}..%2f${encoded}`,
    `${folder}%2e%2e/${encoded}`,
    `${folder}%252e%252e%252f${encoded}`,
    `${folder}./${encoded}`,
    `${folder}a/b/${encoded}`,
    `${folder}%00${encoded}`,
    `${folder}%`,
    `${folder}%zz`,
    `${folder}%c0%ae%c0%ae/`,
    `${folder}${encoded}?x#y`,
    `${folder}\\..\\${encoded}`,
    `http://dav.test${folder}${encoded}`,
    `http://elsewhere.test${folder}${encoded}`,
    `//elsewhere.test${folder}${encoded}`,
    `http://user:pass@dav.test${folder}${encoded}`,
    `HTTP://[::1${folder}`,
    `ftp://dav.test${folder}${encoded}`,
    `javascript:${encoded}`,
    `data:,${encoded}`,
    '/',
    '',
    '..',
    encoded,
    `&a;${encoded}`,
    `&#0;&#x110000;&#xd800;&lt;${encoded}`,
    `<![CDATA[${folder}${encoded}]]>`,
    `<b>${encoded}</b>`,
    `${folder}${'x'.repeat(10_000)}`,
    '&amp;'.repeat(1_001),
  ])
}

const headerValues: Readonly<Record<string, readonly string[]>> = {
  'content-length': [
    '0',
    '1',
    '32',
    '33',
    '-1',
    '99999999999999999999',
    '1e3',
    '0x20',
    ' 32 ',
    '32, 32',
    '',
    'NaN',
    '4294967328',
  ],
  'content-type': [
    'text/html',
    ' TEXT/HTML; charset=x',
    'application/xml',
    'text/xml;;;',
    '',
    'multipart/byteranges; boundary=x',
    'application/xhtml+xml',
  ],
  'content-encoding': ['gzip', 'identity', 'IDENTITY', 'br, gzip', '', 'x'.repeat(16_000), ' identity '],
  'transfer-encoding': ['chunked', 'gzip, chunked'],
  'retry-after': [
    '0',
    '7',
    '60',
    '61',
    '99999',
    '999999999',
    '9999999999',
    '-1',
    '1.5',
    'soon',
    '',
    'Fri, 31 Dec 9999 23:59:59 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    '2026-01-01',
    '٧',
    '1e9',
  ],
  date: [
    'Thu, 01 Jan 2026 00:00:00 GMT',
    'Thu, 01 Jan 1970 00:00:00 GMT',
    'Fri, 31 Dec 9999 23:59:59 GMT',
    'yesterday',
    '',
    '-1',
    '+275760-09-13T00:00:00.001Z',
  ],
  etag: ['"x"', 'W/"x"', 'x', '', '"'.repeat(1_000)],
  'last-modified': ['x', '0', 'Thu, 01 Jan 1970 00:00:00 GMT'],
  'content-range': ['bytes 0-31/32', 'bytes */32', 'bytes 9-1/x', 'x'],
  location: [
    '/',
    '//elsewhere.test/',
    'http://elsewhere.test/',
    'https://dav.test/dav/store/',
    'http://dav.test/dav/store/version/',
    'javascript:1',
    '',
    '::',
    'http://[',
    '../../..',
    'x'.repeat(10_000),
    'http://user:pass@dav.test/',
  ],
  'www-authenticate': [
    'Basic realm="x"',
    'Digest realm="x", nonce="y", qop="auth", algorithm=MD5',
    'Digest nonce=""',
    'Digest',
    'Digest realm="\\"", nonce="\\\\", stale=true, algorithm=SHA-256',
    `Digest ${'realm="x",'.repeat(500)}`,
    `Digest realm="${'\\'.repeat(4_001)}`,
    `Digest ${'a='.repeat(5_000)}`,
    'Digest __proto__="1", constructor="2", nonce="z"',
    ' '.repeat(10_000).concat('Digest'),
  ],
  age: ['0', '999999', 'x'],
  dav: ['1, 2', ''],
  allow: ['GET'],
}

export function hostileHeaders(chance: Chance): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, values] of Object.entries(headerValues)) {
    if (chance.maybe(0.25)) headers[name] = chance.pick(values)
  }
  return headers
}

const statuses = [
  200, 200, 200, 201, 202, 203, 204, 206, 207, 207, 207, 207, 208, 226, 300, 304, 400, 401, 402, 403, 404,
  404, 405, 408, 409, 410, 411, 412, 413, 414, 416, 417, 418, 421, 422, 423, 424, 425, 426, 429, 431, 451,
  500, 501, 502, 503, 504, 505, 507, 508, 511, 599, 100, 999, 0,
]

export function hostileAnswer(chance: Chance): Canned {
  const body = chance.pick([
    () => Buffer.from(hostileMultistatus(chance)),
    () => Buffer.from(hostileMultistatus(chance)),
    () => Buffer.from(mutateBytes(Buffer.from(hostileMultistatus(chance)), chance)),
    () => Buffer.from('davit head: see docs/spec format'),
    () => Buffer.from('<html><body>login</body></html>'),
    () => Buffer.alloc(0),
    () => Buffer.from(chance.bytes(chance.int(100))),
    () => Buffer.alloc(chance.pick([9_000, 70_000]), 'x'),
  ])()
  return { status: chance.pick(statuses), headers: hostileHeaders(chance), body }
}

/** As text, to be kept as an object of the fuzzer. */
export function encodeAnswer({ status, headers, body }: Canned): Uint8Array {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`)
  return Buffer.concat([Buffer.from(`${status}\n${fields.join('')}\n`), body])
}

/** Tolerant: whatever is no header is left out. */
export function decodeAnswer(bytes: Uint8Array): Canned {
  const whole = Buffer.from(bytes)
  const end = whole.indexOf('\n\n')
  const head = (end < 0 ? whole : whole.subarray(0, end)).toString().split('\n')
  const headers: Record<string, string> = {}
  for (const line of head.slice(1)) {
    const match = /^([a-z-]+): (.*)$/.exec(line)
    if (match !== null) headers[match[1] as string] = match[2] as string
  }
  return { status: Number(head[0]) || 0, headers, body: end < 0 ? Buffer.alloc(0) : whole.subarray(end + 2) }
}
