/** What every verb of the embedded server is: a function from a request to its reply. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServedFolder } from './served-folder.ts'
import type { ServedPath } from './served-path.ts'

export interface VerbInput {
  readonly folder: ServedFolder
  readonly path: ServedPath
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** Answers the request, or throws (see `failureOf`) before it has sent anything. */
export type Verb = (input: VerbInput) => Promise<void>
