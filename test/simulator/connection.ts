/**
 * One client's connection to the simulated server: the way there, what chance does to a request, and the way back.
 * Rejects with the very errors of the real transport, and never lets a client wait beyond its timeout.
 */
import type { Clock } from '../../src/model/clock.ts'
import type { ContentSource } from '../../src/model/content.ts'
import { redirectError } from '../../src/remote/redirect.ts'
import {
  requestUrl,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '../../src/remote/transport.ts'
import { type Answer, answer, brokenConnection, responseOf, urlOf } from './answers.ts'
import { delayMaxMs, laterMaxMs, pick } from './faults.ts'
import {
  dateText,
  drawBreakOff,
  drawChance,
  fromCache,
  happens,
  intercepted,
  isWrite,
  outageAnswer,
} from './interference.ts'
import type { Caller, ServerSide } from './server-side.ts'
import { below } from './tree.ts'
import { noChance, type ServerRequest } from './verbs.ts'

export interface ClientOptions {
  readonly name: string
  /** By which this client measures its timeouts. */
  readonly clock: Clock
  /** As `timeoutMs` of the real transport; 30 s by default. */
  readonly timeoutMs?: number
}

const nothing = new Uint8Array()
/** What the real transport sends with every request, about. */
const plainHeaderBytes = 96

export function connect(server: ServerSide, client: ClientOptions): Transport {
  const { random, clock } = server
  const timeoutMs = client.timeoutMs ?? 30_000
  const url = urlOf(server.root)
  const segments = server.root === '' ? [] : server.root.split('/')
  const traffic = { requests: 0, bytesSent: 0, bytesReceived: 0, byMethod: {} as Record<string, number> }
  const countReceived = (bytes: number): void => {
    traffic.bytesReceived += bytes
  }

  async function travel(signal: AbortSignal | undefined): Promise<void> {
    const { min, max } = server.latencyMs
    let ms = max === 0 ? 0 : min + (max - min) * random.fraction()
    if (happens(server, 'delay')) ms += delayMaxMs * random.fraction()
    if (ms > 0) await clock.sleep(ms, signal)
  }

  function arriving(request: TransportRequest, body: Uint8Array, isWhole: boolean): ServerRequest {
    const path =
      request.above === undefined || request.above === 0
        ? below(server.root, request.name)
        : segments.slice(0, -request.above).join('/')
    return {
      client: client.name,
      method: request.method,
      path,
      hasSlash: request.name === '' || request.name.endsWith('/'),
      target: request.destination === undefined ? null : below(server.root, request.destination),
      destinationForm: request.destinationForm ?? 'absolute',
      overwrite: request.overwrite === true,
      depth: request.depth ?? '0',
      headers: request.headers ?? {},
      body,
      isWhole,
      chance: drawChance(server, request),
    }
  }

  async function giveUp(caller: Caller): Promise<never> {
    await caller.clock.sleep(timeoutMs, caller.signal)
    throw caller.broken('UND_ERR_HEADERS_TIMEOUT')
  }

  /** Executed some time after the client has stopped waiting; a client that has gone may have cut its upload. */
  async function goAstray(request: TransportRequest, body: Uint8Array, caller: Caller): Promise<never> {
    const isCut = request.method === 'PUT' && body.length > 0 && happens(server, 'cutUpload')
    const isTimeout = random.fraction() < 0.5
    server.runLater(
      arriving(request, isCut ? partOf(body) : body, !isCut),
      (isTimeout ? timeoutMs : 0) + laterMs(),
    )
    if (isTimeout) return giveUp(caller)
    throw caller.broken('ECONNRESET')
  }

  function partOf(body: Uint8Array): Uint8Array {
    return body.subarray(0, Math.floor(body.length * random.fraction()))
  }

  function laterMs(): number {
    return laterMaxMs * random.fraction() ** 4
  }

  async function exchange(
    request: TransportRequest,
    body: Uint8Array,
    isWhole: boolean,
    caller: Caller,
  ): Promise<Answer> {
    if (happens(server, 'outage')) server.startOutage()
    if (happens(server, 'restart')) server.restart()
    const outage = server.outage()
    if (outage === 'refused') throw caller.broken('ECONNREFUSED')
    if (outage === 'silent' || happens(server, 'hang')) return giveUp(caller)
    if (outage !== null) return outageAnswer(server, outage)
    const changes = isWrite(request)
    if (changes && isWhole && happens(server, 'late')) return goAstray(request, body, caller)
    if (happens(server, 'lostRequest')) throw caller.broken(pick(random, ['ECONNRESET', 'UND_ERR_SOCKET']))
    const instead = intercepted(server, request)
    if (instead !== undefined) return instead
    const isCut = request.method === 'PUT' && isWhole && body.length > 0 && happens(server, 'cutUpload')
    const asked = arriving(request, isCut ? partOf(body) : body, isWhole && !isCut)
    const given = await server.run(asked, caller)
    if (changes && asked.isWhole && happens(server, 'duplicate'))
      server.runLater({ ...asked, chance: noChance }, laterMs())
    if (given === null) throw caller.broken('UND_ERR_SOCKET')
    // Some close the connection while the client is still sending.
    if (given.status === 413 && random.fraction() < 0.25) throw caller.broken('ECONNRESET')
    if (happens(server, 'lostReply')) {
      if (random.fraction() < 0.5) throw caller.broken('UND_ERR_SOCKET')
      return giveUp(caller)
    }
    if (changes && given.status < 300 && happens(server, 'falseFailure'))
      return answer(pick(random, [500, 502, 504]))
    return fromCache(server, request, given)
  }

  function respond(request: TransportRequest, given: Answer, caller: Caller): TransportResponse {
    const headers: Record<string, string> = { ...given.headers }
    if (server.sendsDate) headers['date'] ??= dateText(server)
    const breakOff = drawBreakOff(server, request, given)
    if (breakOff !== null && breakOff.length !== 'kept') delete headers['content-length']
    if (breakOff?.length === 'short') headers['content-length'] = String(breakOff.afterBytes)
    countReceived(16 + sizeOf(headers))
    return responseOf(
      { status: given.status, headers, body: request.method === 'HEAD' ? nothing : given.body },
      requestUrl({ url }, request),
      countReceived,
      breakOff && {
        afterBytes: breakOff.afterBytes,
        error: breakOff.isSilent ? null : caller.broken('UND_ERR_SOCKET'),
      },
    )
  }

  async function request(request: TransportRequest): Promise<TransportResponse> {
    const { signal, method, body } = request
    signal?.throwIfAborted()
    const caller: Caller = {
      clock: client.clock,
      timeoutMs,
      signal,
      broken: (code) => brokenConnection(`${method} ${requestUrl({ url }, request)}`, code),
    }
    traffic.requests++
    traffic.byMethod[method] = (traffic.byMethod[method] ?? 0) + 1
    traffic.bytesSent += method.length + request.name.length + plainHeaderBytes
    let sent = nothing as Uint8Array
    let failure: unknown
    if (body instanceof Uint8Array) sent = body
    else if (body !== undefined) ({ sent, failure } = await readSource(body, caller))
    traffic.bytesSent += sent.length
    if (failure !== undefined) {
      // What had been sent by then is a cut upload to the server.
      if (sent.length > 0) server.runLater(arriving(request, sent, false), 0)
      throw signal?.aborted === true ? signal.reason : failure
    }
    try {
      await travel(signal)
      const given = await exchange(request, sent, true, caller)
      if (given.status === 302)
        throw redirectError(
          request,
          new URL(requestUrl({ url }, request)),
          302,
          given.headers['location'] ?? '',
        )
      server.count(`${method} ${given.status}`)
      await travel(signal)
      return respond(request, given, caller)
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      throw error
    }
  }

  return {
    url,
    foldersAbove: segments.length,
    request,
    traffic: () => ({ ...traffic, byMethod: { ...traffic.byMethod } }),
    close: async () => {},
  }
}

/** The whole body, or what there was of it when the source failed or had another length than promised. */
async function readSource(
  source: ContentSource,
  caller: Caller,
): Promise<{ readonly sent: Uint8Array; readonly failure: unknown }> {
  const chunks: Uint8Array[] = []
  let size = 0
  let failure: unknown
  try {
    for await (const chunk of source.open(caller.signal)) {
      chunks.push(new Uint8Array(chunk))
      size += chunk.length
    }
    if (size !== source.size) failure = caller.broken('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH')
  } catch (error) {
    failure = error
  }
  const sent = chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
  return { sent: sent.subarray(0, source.size), failure }
}

/** A line each: name, colon, blank, value, line end. */
function sizeOf(headers: Readonly<Record<string, string>>): number {
  let size = 0
  for (const name in headers) size += name.length + (headers[name] as string).length + 4
  return size
}
