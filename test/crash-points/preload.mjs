/**
 * Loaded into the built command before anything else (`node --import`): counts every step by which a process changes
 * something outside of itself, and kills it with SIGKILL at one of them. The command knows nothing of it.
 *
 * Steps: calls of node:fs that write to a disk or flush it; what makes something durable in SQLite (a commit, a
 * statement outside of a transaction, a pragma that writes, closing a connection); HTTP requests.
 *
 *   CRASH_POINT_LOG  file that gets a line of JSON for each step: {k, what, modes}
 *   CRASH_POINT_AT   <k>:<before|empty|middle|after>; nothing is killed without it
 *
 * `modes` are the crash points of a step: `empty` and `middle` stand for a file that has been made and holds nothing, or
 * half of it, and for a body that is half sent. Points that leave the world as another one does are left out: `before`,
 * where nothing is under way since the step before ended; both ends of a request that only reads and of a flush (what a
 * killed process has written stays); a statement inside a transaction (all is as before the commit).
 */
import fs from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'
import { isMainThread } from 'node:worker_threads'

const logFile = process.env.CRASH_POINT_LOG
const [killAt, killMode] = (process.env.CRASH_POINT_AT ?? '-1:').split(':')
/** How long a half-sent body gets to reach the server. */
const sendingMs = 30

// Workers only read (scan, hash): their steps change nothing.
if (isMainThread && logFile !== undefined) {
  const { openSync, writeSync } = fs
  const log = openSync(logFile, 'a')
  let count = 0
  let depth = 0
  /** Steps that have begun and not ended. */
  let underWay = 0

  const die = () => process.kill(process.pid, 'SIGKILL')

  /** A step begins: returns its number. `tears`: its modes between before and after. */
  function begin(what, { tears = [], isDistinct = true, isOpen = false } = {}) {
    const k = count++
    const before = k === 0 || underWay > 0 || isOpen ? ['before'] : []
    const modes = isDistinct ? [...before, ...tears, 'after'] : []
    writeSync(log, `${JSON.stringify({ k, what, modes })}\n`)
    if (k === Number(killAt) && killMode === 'before') die()
    underWay++
    return k
  }
  function end(k) {
    underWay--
    if (k === Number(killAt) && killMode === 'after') die()
  }
  const isAt = (k, mode) => k === Number(killAt) && killMode === mode

  /** The half of what is written, in bytes. */
  function halfOf(data, options) {
    const encoding = typeof options === 'string' ? options : options?.encoding
    const bytes = typeof data === 'string' ? Buffer.from(data, encoding ?? 'utf8') : Buffer.from(data)
    return bytes.subarray(0, bytes.length >> 1)
  }

  const short = (value) => {
    if (typeof value === 'string') return value.length > 80 ? `…${value.slice(-79)}` : value
    if (typeof value === 'number') return String(value)
    return ArrayBuffer.isView(value) ? `${value.byteLength} B` : typeof value
  }
  const describe = (name, args) => `file ${name} ${args.slice(0, 2).map(short).join(' ')}`

  /** What tears: called instead of the call itself, with the process about to die. */
  const writeHalf = (call) => (args) => {
    const [file, data, options] = args
    const flags = typeof options === 'object' ? options : {}
    call(file, halfOf(data, options), { ...flags, encoding: undefined })
  }
  const writeNothing = (call) => (args) => {
    const [file, , options] = args
    call(file, '', typeof options === 'object' ? options : {})
  }
  const original = { ...fs }
  const whole = {
    empty: writeNothing(original.writeFileSync),
    middle: writeHalf(original.writeFileSync),
  }
  const copy = {
    empty: ([, target]) => original.writeFileSync(target, ''),
    middle: ([source, target]) => {
      const bytes = original.readFileSync(source)
      original.writeFileSync(target, bytes.subarray(0, bytes.length >> 1))
    },
  }
  const piece = {
    middle: ([fd, data, offset, length, position]) => {
      if (typeof data === 'string') original.writeSync(fd, halfOf(data, position))
      else {
        const from = typeof offset === 'number' ? offset : 0
        const bytes = typeof length === 'number' ? length : data.byteLength - from
        original.writeSync(fd, data, from, bytes >> 1, typeof position === 'number' ? position : null)
      }
    },
  }
  const makes = (flags) =>
    typeof flags === 'string'
      ? /[wa]/.test(flags)
      : typeof flags === 'number' && (flags & (fs.constants.O_CREAT | fs.constants.O_TRUNC)) !== 0

  /** name → how it tears; `true`: it does not. */
  const calls = {
    open: true,
    write: piece,
    writeFile: whole,
    appendFile: true,
    copyFile: copy,
    cp: true,
    rename: true,
    link: true,
    symlink: true,
    unlink: true,
    mkdir: true,
    mkdtemp: true,
    rmdir: true,
    rm: true,
    truncate: true,
    ftruncate: true,
    utimes: true,
    futimes: true,
    lutimes: true,
    chmod: true,
    fchmod: true,
    chown: true,
    fchown: true,
    fsync: true,
    fdatasync: true,
  }
  /** Opening to read and printing change nothing. */
  function isStep(name, args) {
    if (depth > 0) return false
    if (name === 'open') return makes(args[1])
    return name !== 'write' || args[0] > 2
  }
  const isFlush = (name) => name === 'fsync' || name === 'fdatasync'

  function beginCall(name, args) {
    const tears = calls[name] === true ? {} : calls[name]
    const k = begin(describe(name, args), { tears: Object.keys(tears), isDistinct: !isFlush(name) })
    for (const [mode, tear] of Object.entries(tears)) {
      if (!isAt(k, mode)) continue
      depth++
      tear(args)
      die()
    }
    return k
  }
  /** Keeps what else hangs on a function, such as how `promisify` treats it. */
  const like = (wrapped, call) =>
    Object.defineProperties(wrapped, {
      ...Object.getOwnPropertyDescriptors(call),
      ...Object.getOwnPropertyDescriptors(wrapped),
    })

  for (const name of Object.keys(calls)) {
    const sync = fs[`${name}Sync`]
    if (sync !== undefined) {
      fs[`${name}Sync`] = like(function (...args) {
        if (!isStep(name, args)) return sync.apply(this, args)
        const k = beginCall(name, args)
        // What it calls in turn is this step, too.
        depth++
        try {
          return sync.apply(this, args)
        } finally {
          depth--
          end(k)
        }
      }, sync)
    }
    const callback = fs[name]
    if (callback !== undefined) {
      fs[name] = like(function (...args) {
        const done = args.at(-1)
        if (!isStep(name, args) || typeof done !== 'function') return callback.apply(this, args)
        const k = beginCall(name, args)
        return callback.call(this, ...args.slice(0, -1), (...results) => {
          end(k)
          done(...results)
        })
      }, callback)
    }
    const promised = fs.promises[name]
    if (promised !== undefined) {
      fs.promises[name] = like(async function (...args) {
        if (!isStep(name, args)) return withSteps(name, await promised.apply(this, args))
        const k = beginCall(name, args)
        try {
          return withSteps(name, await promised.apply(this, args))
        } finally {
          end(k)
        }
      }, promised)
    }
  }
  /** The handle of `fs.promises.open`: what it changes are steps as well. */
  function withSteps(name, result) {
    if (name !== 'open') return result
    for (const method of ['sync', 'datasync', 'write', 'writeFile', 'appendFile', 'truncate', 'utimes']) {
      const call = result[method].bind(result)
      result[method] = async (...args) => {
        const k = begin(`file handle.${method}`, { isDistinct: !method.endsWith('sync') })
        try {
          return await call(...args)
        } finally {
          end(k)
        }
      }
    }
    return result
  }
  syncBuiltinESMExports()

  const require = createRequire(import.meta.url)
  wrapSqlite(require('better-sqlite3'))
  wrapHttp(require('undici'))

  function wrapSqlite(Sqlite) {
    const probe = new Sqlite(':memory:')
    const statements = Object.getPrototypeOf(probe.prepare('SELECT 1'))
    probe.close()
    const oneLine = (text) => text.replace(/\s+/g, ' ').trim().slice(0, 80)
    const isCommit = (source) => /^\s*(COMMIT|END)\b/i.test(source)
    const writingPragma =
      /^\s*(PRAGMA\s+)?(wal_checkpoint|(journal_mode|application_id|user_version|page_size)\s*=)/i
    const isStatement = /^\s*(BEGIN|ROLLBACK|SAVEPOINT|RELEASE|PRAGMA)/i

    /** `what` as a step around the call, unless it is part of another one. */
    function around(what, options, call) {
      if (depth > 0) return call()
      const k = begin(what, options)
      depth++
      try {
        return call()
      } finally {
        depth--
        end(k)
      }
    }
    function stepOf(source, database, readonly) {
      if (isCommit(source)) return { isOpen: true }
      if (writingPragma.test(source)) return {}
      return readonly || database.inTransaction || isStatement.test(source) ? null : {}
    }

    for (const name of ['run', 'get', 'all']) {
      const call = statements[name]
      statements[name] = function (...args) {
        const step = stepOf(this.source, this.database, this.readonly)
        if (step === null) return call.apply(this, args)
        return around(`sql ${oneLine(this.source)}`, step, () => call.apply(this, args))
      }
    }
    const { exec, pragma, close } = Sqlite.prototype
    Sqlite.prototype.exec = function (source) {
      const step = stepOf(source, this, false)
      if (step === null) return exec.call(this, source)
      return around(`sql ${oneLine(source)}`, step, () => exec.call(this, source))
    }
    Sqlite.prototype.pragma = function (source, ...rest) {
      if (!writingPragma.test(source)) return pragma.call(this, source, ...rest)
      return around(`sql PRAGMA ${source}`, {}, () => pragma.call(this, source, ...rest))
    }
    Sqlite.prototype.close = function () {
      if (!this.open) return close.call(this)
      return around('sql close', {}, () => close.call(this))
    }
  }

  function wrapHttp({ Pool }) {
    const { request } = Pool.prototype
    Pool.prototype.request = async function (options, ...rest) {
      const { method, path, headers, body } = options
      const target = headers?.destination === undefined ? '' : ` → ${basename(headers.destination)}`
      const k = begin(`http ${method} ${short(path)}${target}`, {
        tears: method === 'PUT' ? ['middle'] : [],
        isDistinct: !['GET', 'HEAD', 'PROPFIND', 'OPTIONS'].includes(method),
        // Whether it has been carried out is a question until the answer is here.
        isOpen: true,
      })
      const sent = isAt(k, 'middle') ? { ...options, body: halfSent(body) } : options
      try {
        return await request.call(this, sent, ...rest)
      } finally {
        end(k)
      }
    }
  }
  async function* halfSent(body) {
    const pieces = []
    for await (const piece of ArrayBuffer.isView(body) ? [body] : body) pieces.push(Buffer.from(piece))
    const bytes = Buffer.concat(pieces)
    yield bytes.subarray(0, bytes.length >> 1)
    setTimeout(die, sendingMs)
    await new Promise(() => {})
  }
}
