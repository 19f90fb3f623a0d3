// @bitrix24/b24jssdk: lists, and a card of every kind; the cards by batches.

import { readFileSync } from 'node:fs'
import { B24Hook } from '@bitrix24/b24jssdk'

const read = (name) => JSON.parse(readFileSync(name, 'utf8'))
const data = [{ name: 'main', title: 'New', type: 'section', elements: [{ name: 'TITLE', optionFlags: 1 }] }]
const portal = B24Hook.fromWebhookUrl(read('ready.json').webhooks[0].url)
const call = portal.actions.v2.call
const result = async (method, params) => (await call.make({ method, params })).getData().result

const list = async (method) => {
  const ids = []
  for (let start = 0; ; start += 50) {
    const page = await call.make({ method, params: { sort: 'ID', order: 'ASC', start } })
    ids.push(...page.getData().result.map((row) => Number(row.ID)))
    if (!page.isMore()) return ids
  }
}

const users = await list('user.get')
const departments = await list('department.get')
const method = 'crm.item.details.configuration.'
const seen = []
for (const card of read('cards.json')) {
  const params = { ...card, scope: 'P', userId: 7 }
  const set = await result(`${method}set`, { ...params, data })
  const calls = { before: [`${method}get`, params], reset: [`${method}reset`, params], after: [`${method}get`, params] }
  const batch = await portal.actions.v2.batch.make({ calls, options: { isHaltOnError: true } })
  const { before, reset, after } = batch.getData()
  if (set !== true || reset !== true) throw new Error(`set ${set}, reset ${reset}`)
  seen.push([before, after])
}
console.log(JSON.stringify({ users, departments, cards: seen }))
