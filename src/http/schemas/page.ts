/** Queries of lists. */
import { z } from 'zod'
import { pageRowsMax } from '../../model/limits.ts'

const limit = z
  .string()
  .regex(/^[0-9]{1,6}$/, 'has to be a number')
  .transform(Number)
  .pipe(z.number().min(1).max(pageRowsMax))

export const pageFields = { limit: limit.optional(), cursor: z.string().min(1).max(16_384).optional() }
export const pageQuery = z.strictObject(pageFields)
