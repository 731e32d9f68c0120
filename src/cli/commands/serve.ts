/** `davit serve`: the instance with its API, until SIGTERM or SIGINT. */
import { type CommandContext, loadConfiguration } from '../command.ts'
import { print } from '../output.ts'
import { serveInstance } from '../serve-instance.ts'
import { listenForEnd } from '../until-signal.ts'

export interface ServeOptions {
  readonly create?: boolean
  readonly expose?: boolean
}

export async function serve(context: CommandContext, options: ServeOptions): Promise<number> {
  const { io } = context
  const ending = listenForEnd(io)
  try {
    const configuration = await loadConfiguration(context)
    const served = await serveInstance(context, configuration, {
      ...(options.create === true ? { create: true } : {}),
      exposed: options.expose === true,
    })
    try {
      if (!ending.isAsked()) {
        const { localVersion: version, instance } = served.instance.status()
        if (context.json) print(io, JSON.stringify({ url: served.url, version, instance }))
        else print(io, `davit ready ${served.url} version=${version}`)
      }
      await ending.asked
    } finally {
      await served.close()
    }
    return 0
  } finally {
    ending.forget()
  }
}
