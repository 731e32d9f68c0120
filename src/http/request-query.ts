/** Query strings and conditional headers, checked. */
import type { Context } from 'hono'
import type { z } from 'zod'
import { DavitError } from '../model/errors.ts'
import { explainIssues } from './request-body.ts'

function badRequest(message: string): DavitError {
  return new DavitError('bad-request', message, { action: 'give-up' })
}

/** The query, checked; an unknown or a repeated name is refused. */
export function readQuery<Schema extends z.ZodType>(c: Context, schema: Schema): z.infer<Schema> {
  const values: Record<string, string> = Object.create(null)
  for (const [name, found] of Object.entries(c.req.queries())) {
    if (found.length !== 1) throw badRequest(`the query states '${name}' more than once`)
    values[name] = found[0] as string
  }
  const result = schema.safeParse({ ...values })
  if (!result.success) throw badRequest(`in the query: ${explainIssues(result.error)}`)
  return result.data
}

/** The revision in `If-Match`, without its quotes; `'*'` stands for any. Absent: no condition. */
export function readIfMatch(c: Context): { readonly ifMatch?: string } {
  const header = c.req.header('if-match')?.trim()
  if (header === undefined) return {}
  if (header === '*') return { ifMatch: '*' }
  const revision = /^(?:W\/)?"([^"]*)"$/.exec(header)?.[1] ?? /^[^",\s]+$/.exec(header)?.[0]
  if (revision === undefined || revision === '') throw badRequest('If-Match has to state one revision')
  return { ifMatch: revision }
}
