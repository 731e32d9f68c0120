import { describe, expect, it } from 'vitest'
import { parseMultistatus } from '../../../src/remote/multistatus.ts'

const collection = 'http://dav.test/my%20dav/store/version/'
const own = '/my%20dav/store/version/'

function xml(hrefs: readonly string[], prefix = 'D'): string {
  const tag = (name: string, content: string) => `<${prefix}:${name}>${content}</${prefix}:${name}>`
  const responses = hrefs.map((href) =>
    tag(
      'response',
      tag('href', href) +
        tag('propstat', tag('prop', `<${prefix}:resourcetype/>`) + tag('status', 'HTTP/1.1 200 OK')),
    ),
  )
  return `<?xml version="1.0"?><${prefix}:multistatus xmlns:${prefix}="DAV:">${responses.join('')}</${prefix}:multistatus>`
}

describe('a multistatus', () => {
  it.each([
    ['paths', [own, `${own}a-1`]],
    ['absolute URLs of any host', ['https://backend:8080/my%20dav/store/version/', `http://x${own}a-1`]],
    ['other escapes', ['/my%20%64av/store/version', '/my%20dav//store/version/%61-1']],
    ['blanks around', [` ${own} `, `\n${own}a-1\n`]],
  ])('with hrefs as %s lists the names in the collection', async (_, hrefs) => {
    for (const prefix of ['D', 'd', 'lp1', 'ns0'])
      expect(await parseMultistatus(xml(hrefs, prefix), collection)).toEqual({
        entries: [{ name: 'a-1', isCollection: false }],
        hasOwn: true,
        ignored: [],
      })
  })

  it('decodes exactly once and tells folders by their slash', async () => {
    const listing = await parseMultistatus(
      xml([own, `${own}a%2525/`, `${own}2024.10`, `${own}a&amp;b`]),
      collection,
    )
    expect(listing.entries).toEqual([
      { name: 'a%25', isCollection: true },
      { name: '2024.10', isCollection: false },
      { name: 'a&b', isCollection: false },
    ])
  })

  it.each([
    '/elsewhere/a',
    '/my%20dav/store/version/../a',
    '/my%20dav/store/version/%2e%2e/a',
    '/my%20dav/store/version/..%2fa',
    '/my%20dav/store/version/a/b',
    '/my%20dav/store/version/%zz',
    '/my%20dav/store/',
    'ftp://x/my%20dav/store/version/a',
    'http://x/my%20dav/store/version/%2e%2e%2f%2e%2e%2fa',
  ])('leaves out %s and says so', async (href) => {
    const listing = await parseMultistatus(xml([own, href]), collection)
    expect(listing.entries).toEqual([])
    expect(listing.ignored).toHaveLength(1)
  })

  it('without the collection and without entries is told apart from an empty collection', async () => {
    expect((await parseMultistatus(xml([]), collection)).hasOwn).toBe(false)
    expect((await parseMultistatus('<multistatus xmlns="DAV:"/>', collection)).hasOwn).toBe(false)
    expect((await parseMultistatus(xml([own]), collection)).hasOwn).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['a page', '<html><body>Log in</body></html>'],
    ['JSON', '{"multistatus": []}'],
    ['a document that was cut', xml([own, `${own}a`]).slice(0, -20)],
    [
      'an entity bomb',
      `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${xml([own, `${own}&b;`])}`,
    ],
    ['another root', '<x><D:multistatus xmlns:D="DAV:"></D:multistatus></x>'],
  ])('that is %s is none', async (_, text) => {
    await expect(parseMultistatus(text, collection)).rejects.toThrow()
  })
})
