/** PROPFIND, depth 0 and 1: the listing is read here, the multistatus is made by the `webdav-server` package. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, Writable } from 'node:stream'
import { v2 } from 'webdav-server'
import { HttpFailure } from './http-failure.ts'
import { type Listing, readListing } from './listing.ts'
import { ListingFileSystem } from './listing-file-system.ts'
import { canonicalBody, readBody } from './propfind-body.ts'
import type { Verb } from './verbs.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const unfitForXml = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

export const propfind: Verb = async ({ folder, path, request, response }) => {
  const { depth } = request.headers
  if (depth !== '0' && depth !== '1') throw new HttpFailure(403, 'Depth has to be 0 or 1')
  const body = canonicalBody(await readBody(request))
  const listing = await readListing(folder.root, path, depth === '0' ? 0 : 1)
  const described = await describe(`/${path.segments.join('/')}`, listing, depth, body)
  const multistatus = Buffer.from(mendXml(described))
  response.setHeader('Content-Type', 'application/xml; charset=utf-8')
  response.setHeader('Content-Length', multistatus.length)
  response.writeHead(207).end(multistatus)
}

/**
 * Has the package describe a listing. It gets a request and a response of our making with nothing of the client's in
 * them but the path: it dies on some headers and answers others with more than we want to say.
 */
function describe(base: string, listing: Listing, depth: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const server = new v2.WebDAVServer({
      rootFileSystem: new ListingFileSystem(base, listing),
      respondWithPaths: true,
      version: '2',
    })
    const chunks: Buffer[] = []
    const request = Object.assign(Readable.from(body === '' ? [] : [Buffer.from(body)]), {
      method: 'PROPFIND',
      url: encodeURI(base).replaceAll('?', '%3F').replaceAll('#', '%23'),
      headers: { host: 'localhost', depth, 'content-length': String(Buffer.byteLength(body)) },
    })
    const response = Object.assign(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          chunks.push(chunk)
          done()
        },
        final(done) {
          const answer = Buffer.concat(chunks).toString('utf8')
          if (response.statusCode === 207) resolve(answer)
          else reject(new Error(`the listing failed with ${response.statusCode}`))
          done()
        },
      }),
      { statusCode: 200, statusMessage: '', setHeader: () => undefined },
    )
    // The package reads and sets just these members.
    server.executeRequest(request as unknown as IncomingMessage, response as unknown as ServerResponse)
  })
}

/** The package leaves `#` and `?` of names as they are in hrefs, and characters that XML has no place for. */
function mendXml(answer: string): string {
  return answer
    .replace(/<D:href>[^<]*<\/D:href>/g, (href) => href.replaceAll('#', '%23').replaceAll('?', '%3F'))
    .replace(unfitForXml, '')
}
