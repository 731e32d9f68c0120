/** What went wrong below HTTP, as an error with a sentence for people. Never contains a header or a body. */
import { DavitError } from '../model/errors.ts'

const sentences: Readonly<Record<string, readonly [problem: string, hint: string]>> = {
  ECONNREFUSED: [
    'nothing listens there',
    'Check the host and the port of the remote and that the server runs.',
  ],
  ENOTFOUND: ['the host name is not known', 'Check the host name of the remote and the network.'],
  EAI_AGAIN: ['the host name could not be looked up', 'Check the network and its name server.'],
  EHOSTUNREACH: ['the host cannot be reached', 'Check the network.'],
  ENETUNREACH: ['the network cannot be reached', 'Check the network.'],
  ECONNRESET: ['the connection was cut', 'The request is repeated later.'],
  EPIPE: ['the connection was cut', 'The request is repeated later.'],
  UND_ERR_SOCKET: ['the connection was cut', 'The request is repeated later.'],
  UND_ERR_CONNECT_TIMEOUT: ['no connection in time', 'Check the network, or raise remote.timeout.'],
  UND_ERR_HEADERS_TIMEOUT: ['no answer in time', 'Look at the server, or raise remote.timeout.'],
  UND_ERR_BODY_TIMEOUT: ['the answer stopped in its middle', 'Look at the server, or raise remote.timeout.'],
  UND_ERR_HEADERS_OVERFLOW: [
    'the answer has too many headers',
    'Check that the URL is that of a WebDAV folder.',
  ],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['the answer was cut short', 'The request is repeated later.'],
}

/** The `remote-unreachable` for whatever the HTTP client threw. `what` is method and URL. */
export function connectionError(what: string, error: unknown): DavitError {
  const code = codeOf(error)
  if (isCertificateProblem(code)) {
    const reason = error instanceof Error ? error.message.slice(0, 300) : code
    return new DavitError(
      'remote-unreachable',
      `${what} failed: the server's certificate is not accepted: ${reason}`,
      {
        action: 'retry',
        hint: "Have the server's certificate corrected or renewed, or name the certificate authority that signed it in remote.ca (and in remote.clientCertificate the one that the server asks for).",
        details: { code },
        cause: withoutData(error),
      },
    )
  }
  const [problem, hint] = sentences[code] ?? ['the connection failed', 'Check the network and the server.']
  return new DavitError('remote-unreachable', `${what} failed: ${problem} (${code})`, {
    action: 'retry',
    hint,
    details: { code },
    cause: withoutData(error),
  })
}

function codeOf(error: unknown): string {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth++) {
    const { code } = current as { code?: unknown }
    if (typeof code === 'string') return code
    // Happy eyeballs: one error for each address.
    current = (current as { errors?: unknown[] }).errors?.[0] ?? current.cause
  }
  return 'unknown'
}

function isCertificateProblem(code: string): boolean {
  return (
    /^(ERR_TLS|ERR_SSL|CERT_|ERR_OSSL)/.test(code) ||
    /(CERT|SIGNED|LEAF_SIGNATURE|ISSUER|CRL)/.test(code) ||
    code === 'EPROTO'
  )
}

/** Only name, code and message: a parser's error can carry what it parsed. */
function withoutData(error: unknown): Error {
  const plain = new Error(error instanceof Error ? error.message : 'unknown failure')
  plain.name = error instanceof Error ? error.name : 'Error'
  return plain
}
