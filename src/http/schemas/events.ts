/** The query of the event stream. */
import { z } from 'zod'
import { type EventType, eventTypes } from '../../model/event.ts'

const known: ReadonlySet<string> = new Set(eventTypes)

/** An event's number, as a header or the query states it. */
export const eventId = z
  .string()
  .regex(/^[0-9]{1,15}$/, 'has to be the number of an event')
  .transform(Number)

export const eventsQuery = z.strictObject({
  lastEventId: eventId.optional(),
  types: z
    .string()
    .transform((list, context): EventType[] => {
      const types = list.split(',').map((type) => type.trim())
      for (const type of types) {
        if (!known.has(type))
          context.addIssue({ code: 'custom', message: `there are no events of type '${type}'` })
      }
      return types as EventType[]
    })
    .optional(),
})
