/** `davit webdav --root DIR`: the embedded WebDAV server by itself. */
import { resolve } from 'node:path'
import { type CommandContext, log } from '../command.ts'
import { print } from '../output.ts'
import { listenForEnd } from '../until-signal.ts'

export interface WebdavOptions {
  readonly root: string
  readonly port: number
  readonly host?: string
  readonly username?: string
  readonly password?: string
}

export async function webdav(context: CommandContext, options: WebdavOptions): Promise<number> {
  const { io } = context
  const ending = listenForEnd(io)
  try {
    const server = await context.engine.startWebdavServer({
      ...options,
      root: resolve(io.cwd, options.root),
      log: log(context),
    })
    try {
      if (context.json) print(io, JSON.stringify({ url: server.url }))
      else print(io, `davit webdav ready ${server.url}`)
      await ending.asked
    } finally {
      await server.close()
    }
    return 0
  } finally {
    ending.forget()
  }
}
