/** How deep YAML nests, told before it is composed: composing takes the stack, and time beyond measure for nested keys. */
import { type CST, Parser } from 'yaml'

/** Whether anything in the text stands within more than `depthMax` lists and maps. Without recursion. */
export function nestsDeeper(source: string, depthMax: number): boolean {
  const waiting: { readonly token: CST.Token; readonly depth: number }[] = []
  const wait = (token: CST.Token | null | undefined, depth: number) => {
    if (token !== null && token !== undefined) waiting.push({ token, depth })
  }
  for (const document of new Parser().parse(source)) wait(document, 0)
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { token, depth } = next
    if (depth > depthMax) return true
    if (token.type === 'document') wait(token.value, depth)
    if (!('items' in token)) continue
    for (const item of token.items) {
      wait(item.key, depth + 1)
      wait(item.value, depth + 1)
    }
  }
  return false
}
