/** How a command that could not do its work says so: one line and what to do next, and the exit code. */
import { isDavitError } from '../model/errors.ts'
import { exitCodeOfError } from './exit-codes.ts'
import type { Io } from './io.ts'
import { printable, printJson } from './output.ts'

export function reportError(io: Io, error: unknown, json: boolean): number {
  const exitCode = exitCodeOfError(error)
  const message = error instanceof Error ? error.message : String(error)
  const code = isDavitError(error) ? error.code : 'internal'
  const hint = isDavitError(error) ? error.hint : undefined
  io.stderr.write(`davit: ${printable(message)}\n`)
  if (hint !== undefined) io.stderr.write(`${printable(hint)}\n`)
  // Nobody foresaw it: where it comes from is what a report of it needs.
  if (!isDavitError(error) && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`)
  if (json) {
    const type = `urn:davit:problem:${code}`
    printJson(io, { type, title: message, detail: hint ?? message, code, exitCode })
  }
  return exitCode
}
