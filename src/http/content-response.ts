/** Contents of users' files as responses: always a download, never a page of ours. */
import type { Context } from 'hono'
import type { FileContent } from '../instance/instance.ts'
import { nameOf } from '../model/path.ts'

/** The headers of a content, whether its bytes follow or not. */
function headersOf(content: Omit<FileContent, 'stream'>): Headers {
  const name = encodeURIComponent(nameOf(content.path)).replace(/['()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
  const headers = new Headers({
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename*=UTF-8''${name}`,
    'content-length': String(content.size),
  })
  if (content.hash !== null) headers.set('etag', `"${content.hash}"`)
  return headers
}

/** A stream that asks its source for the next piece only when somebody wants it, and tells it when nobody does. */
function toStream(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Answers with a content; 304 when the client has it (`If-None-Match`). What is not sent is closed. */
export async function contentResponse(c: Context, content: FileContent): Promise<Response> {
  const headers = headersOf(content)
  const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  const isKnown = content.hash !== null && known.includes(`"${content.hash}"`)
  const body = toStream(content.stream)
  if (isKnown || c.req.method === 'HEAD') {
    await body.cancel()
    if (isKnown) headers.delete('content-length')
    return new Response(null, { status: isKnown ? 304 : 200, headers })
  }
  return new Response(body, { status: 200, headers })
}
