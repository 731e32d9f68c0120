/** Workspace paths from outside. */
import { z } from 'zod'
import { unsafePathReason } from '../../model/path.ts'

export const filePath = z.string().superRefine((path, context) => {
  const reason = unsafePathReason(path)
  if (reason !== null) context.addIssue({ code: 'custom', message: `is no path that may be used: ${reason}` })
})
