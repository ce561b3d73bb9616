// A few days of a studio and of a company on another domain: what is on the screen when somebody looks at every state of
// the client. Everything is done by its people through the SDK; nothing is written into a folder.
//
// Seen by Lin Xia (`lin`). What only a browser has (a draft, a message without a connection) is done in `sheets.mjs`.

import { Actor, type Home } from './cast'
import { things } from './things'

export interface Clock {
  at(daysBefore: number, clock: string): void
  present(): void
}

export interface Scene {
  /** Where Lin's conversations are: `/c/<id>` by a short name. */
  readonly paths: Readonly<Record<string, string>>
  readonly password: string
  /** What does not last: presence and typing; before pictures are taken. */
  stir(): Promise<void>
  end(): void
}

const CODE = [
  '```rust', 'pub fn retry_delay(attempt: u32) -> Duration {', '    let base = Duration::from_millis(250);',
  '    // Doubled each time, but never longer than half a minute: people notice more than that, and servers less.',
  '    base.saturating_mul(1 << attempt.min(7)).min(Duration::from_secs(30))', '}', '```',
].join('\n')

const LONG_CODE = [
  '```sql', 'WITH weekly AS (', '  SELECT date_trunc(\'week\', sent_at) AS week, author_id, count(*) AS messages', '  FROM messages',
  '  WHERE sent_at > now() - interval \'12 weeks\'', '  GROUP BY 1, 2', ')', 'SELECT week,', '       count(*) AS people,', '       sum(messages) AS messages,',
  '       percentile_cont(0.5) WITHIN GROUP (ORDER BY messages) AS median', 'FROM weekly', 'GROUP BY week', 'HAVING sum(messages) > 0', 'ORDER BY week DESC', 'LIMIT 12;',
  '-- one row a week', '-- people: who wrote at all', '-- median: how much one of them wrote', '-- for the dashboard', '```',
].join('\n')

export async function play(harbour: Home, northwind: Home, clock: Clock): Promise<Scene> {
  const at = clock.at.bind(clock)
  at(4, '09:00')
  const here = (name: string, shown: string, signature = '') => new Actor(harbour, name, shown, signature)
  const there = (name: string, shown: string, signature = '') => new Actor(northwind, name, shown, signature)
  const lin = here('lin', '林夏 Lin Xia', 'Product at Harbour · 海港工作室')
  const ada = here('ada', 'Ada Brooks', 'Engineering. Ask me anything before noon.')
  const tom = here('tom', 'Tom Okafor')
  const mei = here('mei', '陈美玲', '设计师，喜欢一切安静的界面')
  const wang = here('wang', '王子轩')
  const sofia = here('sofia', 'Sofia Marín')
  const jun = here('jun', '李俊')
  const yuki = here('yuki', 'Yuki Tanaka')
  const zhao = here('zhao', '赵一诺')
  const priya = there('priya', 'Priya Raman', 'Northwind · partnerships')
  const liu = there('liu', '刘洋')
  const max = there('max', 'Max Weber')
  const deals = there('deals', 'Growth Partners')
  const all = [lin, ada, tom, mei, wang, sofia, jun, yuki, zhao, priya, liu, max, deals]
  await Promise.all(all.map((one) => one.enter()))
  await Promise.all(all.map((one) => one.online()))

  // First words over the border, so that the two houses know each other.
  const first = await lin.say(priya, 'Hi Priya, good to meet you yesterday. Shall we move the planning here?')
  await priya.calls.decide((await priya.find(lin)).id, true)
  await priya.say(lin, 'Yes, please. Our side is on **northwind.example**, and it simply works.', first)
  await lin.read(priya)
  const liuSays = await lin.say(liu, '刘洋你好，设计评审的群我已经建好了。')
  await liu.calls.decide((await liu.find(lin)).id, true)
  await liu.say(lin, '收到，今天就加入。', liuSays)
  await lin.read(liu)

  const users = (...people: Actor[]) => people.map((one) => one.user)
  const group = async (owner: Actor, name: string, members: Actor[]) => {
    await owner.calls.createGroup(name, users(...members))
    await owner.find(name)
    for (const one of members) await one.join(name)
  }
  at(4, '09:30')
  await group(ada, 'Spring launch', [lin, tom, mei, sofia, jun, yuki, priya, liu])
  await group(lin, '产品周会', [mei, wang, jun, zhao, liu, ada])
  await group(tom, 'Saturday hike 🥾', [lin, sofia, yuki, wang])
  await group(priya, 'Northwind × Harbour', [liu, lin])
  await group(ada, 'Announcements', [lin, tom, mei, wang, sofia, jun, yuki, zhao])
  await group(lin, 'Design review', [mei])
  await liu.calls.createGroup('周五读书会', users(lin))

  const launch = await ada.find('Spring launch')
  const text = (id: string, what: 'notice' | 'description', value: string) => ({ id, act: { kind: 'text' as const, text: what, value } })
  for (const { id, act } of [
    text(launch.id, 'notice', 'Feature freeze on Thursday, 18:00. Release notes are in the pinned message.'),
    text(launch.id, 'description', 'Everything about the spring release, for both houses.'),
  ]) await ada.calls.act(id, act)
  await ada.calls.act(launch.id, { kind: 'role', user: lin.user, role: 'administrator' })
  const weekly = await lin.find('产品周会')
  await lin.calls.act(weekly.id, { kind: 'text', text: 'notice', value: '每周二上午十点，会前把进展写在群里。' })
  await lin.calls.act(weekly.id, { kind: 'role', user: mei.user, role: 'administrator' })
  const news = await ada.find('Announcements')
  await ada.calls.act(news.id, { kind: 'rights', rights: { ...(news.group?.rights ?? { add: 'members', atAll: 'members', pin: 'members', texts: 'members', joining: 'invitation' }), post: 'administrators' } })

  // Three days ago.
  at(3, '09:12')
  await lin.say(lin, '- Book the small room for Thursday\n- Ask Yuki about the icons\n- 给美玲寄样书')
  await ada.say('Announcements', 'Welcome, everybody. This is where things are said once, and quietly.')
  const notes = await ada.say('Spring launch', '# Release notes\n1. Conversations open twice as fast\n2. Groups across domains: a **second house** can keep its own copy\n3. Recovery codes, printed in one page')
  await ada.calls.act(launch.id, { kind: 'pin', sequence: notes.sequence, remove: false })
  at(3, '11:40')
  await sofia.say('Spring launch', 'Translations are complete. 简体中文 was proofread twice, thanks to @陈美玲.', undefined, [mei])
  await mei.react('Spring launch', notes, '🎉')
  await tom.react('Spring launch', notes, '🎉')
  await yuki.say(lin, 'The new icons are drawn on a grid of 24. I will bring prints.')
  await jun.say(lin, '上次说的字体文件已经放到共享文件夹了。')
  at(2, '15:05')
  await wang.say(lin, '周三的用户访谈改到下午两点，可以吗？')
  await lin.say(wang, '可以，我来订会议室。')
  await sofia.say(lin, 'Never mind, I found it.')
  await lin.say('Design review', 'First round on Monday: bring one screen that you dislike, and say why.')
  for (const one of [sofia, yuki, jun, wang]) await lin.read(one)
  await lin.read('Announcements')

  // Yesterday.
  at(1, '09:20')
  await zhao.say('产品周会', '早！上周上线的版本目前没有发现问题，留存和上个版本持平。')
  await jun.say('产品周会', '接口的响应时间又降了一些，P95 现在是 **48 毫秒**。')
  const sketch = await mei.say('产品周会', '新的会话列表我画了三版，倾向第二版：\n> 信息少一点，留白多一点\n大家看看有没有意见？')
  await lin.say('产品周会', '我也喜欢第二版，未读数字可以再轻一些。', sketch)
  await wang.react('产品周会', sketch, '👍')
  await zhao.react('产品周会', sketch, '👍')
  await jun.react('产品周会', sketch, '👀')
  at(1, '14:48')
  await priya.say('Spring launch', 'Northwind’s side is ready. We tested with 400 people for a week.')
  const question = await yuki.say('Spring launch', 'Do we keep the old export for one more release?')
  await ada.say('Spring launch', 'One more, yes. After that it says where to find the new one.', question)
  await tom.say('Spring launch', CODE)
  const fix = await tom.say('Spring launch', 'That caps it at thirty seconds. Reviewed by Ada, mergd this morning.')
  await tom.edit('Spring launch', fix, 'That caps it at thirty seconds. Reviewed by Ada, merged this morning.')
  await lin.say('Spring launch', 'Lovely. Nobody will miss the old behaviour.', fix)
  await tom.react('Spring launch', fix, '🚀')
  await lin.read('Spring launch')
  await lin.read('产品周会')
  await ada.say(lin, 'Could you look at the numbers before tomorrow? I think the median went up:')
  await ada.say(lin, LONG_CODE)
  await lin.say(ada, 'Looking now.')
  const late = await lin.say(ada, 'It did: from 14 to 19 messages a week. `people` is flat, so it is the same people who write more.')
  await ada.say(lin, 'That is exactly what I hoped for 😊', late)
  await lin.read(ada)

  // The scene's day.
  at(0, '08:41')
  await tom.say('Saturday hike 🥾', 'Weather looks good. Train at 8:05, platform 4?')
  await sofia.say('Saturday hike 🥾', 'I am in. Bringing the good cheese.')
  await yuki.say('Saturday hike 🥾', 'Me too! ☀️')
  await wang.say('Saturday hike 🥾', '算我一个，我带茶。')
  await things('Saturday hike 🥾', { tom, sofia, yuki, lin, wang }, Date.now())
  at(0, '09:02')
  const plan = await zhao.say('产品周会', '今天周会的议题：\n1. 春季版本的发布节奏\n2. 新的会话列表\n3. 与北风（northwind.example）的联合测试')
  await mei.say('产品周会', '第二版的细节补充在这里：https://harbour.example/design/list-v2，重点看深色模式。')
  await lin.say('产品周会', '收到。深色模式下的对比度我再核对一遍，**周四之前**给结论。')
  const slip = await wang.say('产品周会', '我这边的进度是 80%')
  await wang.recall('产品周会', slip)
  await wang.say('产品周会', '我这边的进度是 90%，剩下的是回归测试。', plan)
  await liu.say('产品周会', '北风这边准备好了，随时可以开始联合测试。')
  const call = await jun.say('产品周会', '@林夏 Lin Xia 发布窗口定在周四晚上可以吗？', undefined, [lin])
  await lin.say('产品周会', '可以，就定周四晚上八点。', call)
  await jun.react('产品周会', call, '👌')
  for (const one of [mei, zhao, liu]) await one.react('产品周会', call, '👍')
  at(0, '09:31')
  const ready = await ada.say('Spring launch', 'Freeze is in two days. Where are we?')
  await jun.say('Spring launch', 'Backend: done. The last migration ran in 3 minutes on a copy of production.')
  await sofia.say('Spring launch', 'Docs: two pages to go, today.', ready)
  const design = await mei.say('Spring launch', 'Design is finished. 深色模式也检查过了 ✅')
  await lin.say('Spring launch', 'Then I will write the announcement tonight. One paragraph, no adjectives.')
  for (const one of [ada, tom, sofia]) await one.react('Spring launch', design, '❤️')
  await lin.react('Spring launch', design, '❤️')
  await yuki.react('Spring launch', design, '🎉')
  at(0, '09:52')
  await priya.say('Northwind × Harbour', 'Agenda for the call: 1) who hosts the group, 2) retention, 3) a name for all this.')
  await liu.say('Northwind × Harbour', 'I can take notes.')
  await priya.say('Northwind × Harbour', '@林夏 Lin Xia could you bring the retention numbers?', undefined, [lin])
  await ada.say('Announcements', 'The office is closed on Friday. Have a good long weekend!')
  await ada.say('Spring launch', '@everybody thank you. I am proud of this one.')
  at(0, '10:04')
  await mei.say(lin, '样书收到了，纸张的手感很好！')
  await mei.say(lin, '封面的蓝色能不能再深一点？我把色值发你：`#2f4bc7`')
  await mei.say(lin, '不着急，下午有空再看就行。')
  await tom.say(lin, 'Coffee at eleven?')
  await max.say(lin, 'Hello, I am Max from the Northwind print shop. Priya said that you need 200 booklets?')
  await deals.say(lin, 'Grow your audience 10x with our proven strategy!!! Reply YES to learn more')
  at(0, '10:17')
  await priya.say(lin, 'Contract is signed ✍️ See you on the call.')
  await lin.find(max)
  await lin.find(deals)
  await lin.until('all that was said', () => lin.there(priya)?.unread === 1 && lin.there(tom)?.unread === 1 && lin.there(mei)?.unread === 3)

  const hike = await lin.find('Saturday hike 🥾')
  await lin.calls.silence(hike.id, Date.UTC(10_000, 0, 1), false)
  await sofia.calls.block(lin.user, true)
  clock.present()

  const path = async (whom: Actor | string) => `/c/${(await lin.find(whom)).id}`
  const paths: Record<string, string> = {}
  for (const [name, whom] of Object.entries({
    launch: 'Spring launch', weekly: '产品周会', hike: 'Saturday hike 🥾', joint: 'Northwind × Harbour', news: 'Announcements', empty: 'Design review',
    ada, mei, tom, wang, sofia, priya, liu, yuki, max, myself: lin,
  })) paths[name] = await path(whom)

  return {
    paths,
    password: harbour.passwords.get('lin') ?? '',
    async stir() {
      await Promise.all([ada.calls.setPresence('online'), mei.calls.setPresence('online'), yuki.calls.setPresence('dnd'), priya.calls.setPresence('online'), jun.calls.setPresence('away')])
      await tom.calls.typing((await tom.find(lin)).id, true)
    },
    end: () => all.forEach((one) => one.kill()),
  }
}
