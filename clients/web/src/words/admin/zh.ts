// 域的管理。

import type { Translation } from '../chunks'
import type en from './en'

const zh: Translation<typeof en> = {
  title: '管理', close: '关闭', back: '返回', loading: '加载中…', more: '更多', save: '保存', saved: '已保存', cancel: '取消', search: '搜索', nothing: '这里还没有内容。', found: '没有找到。',
  elsewhere: '请在该域自己的地址上管理它。', open: '打开 {host}', readOnly: '你可以查看这里的一切，但不能更改。', tryAgain: '重试',
  overview: '概览', people: '人员', invitations: '邀请', groups: '群', domains: '其他域', policies: '策略', audit: '操作记录', tokens: '令牌',
  health: '健康状况', good: '良好', warning: '请留意', bad: '需要处理', checkAll: '全面检查', checkText: '会读取磁盘上的每条记录，需要一些时间。',
  peopleN: { other: '{n} 人' }, administratorsN: { other: '{n} 位管理员' }, connectedN: '{n8} 个域中 {connected} 个已连接', version: '版本', epoch: '纪元', address: '地址', records: '记录数',
  storage: '存储', journal: '日志', views: '视图', checkpoints: '检查点', backupsSize: '本机上的备份', free: '剩余', compact: '收回已抹去的空间', won: '已收回 {size}。',
  backup: '备份', backupNow: '立即备份', backupNone: '还没有备份。', backupWhole: '已校验，完好', backupBroken: '未能通过校验', backupMore: '更早的备份',
  running: '{what}：{percent} %', failed: '操作失败。', done: '已完成。',
  addPerson: '添加人员', name: '名字', nameHint: 'a–z、0–9、点和短横线，位于 @ 之前。', displayName: '显示名称', role: '角色', member: '成员', auditor: '审计员', administrator: '管理员', roleHint: '审计员可查看这里的一切，但不能更改。', add: '添加',
  passwordOnce: '{user} 的密码，仅显示这一次。登录后请修改。', copy: '复制', copied: '已复制', ok: '已妥善保存',
  disabled: '已停用', disable: '停用', enable: '启用', disableText: '{user} 将在所有设备上登出，且无法再登录。已写的内容保留。', resetPassword: '重置密码', resetText: '旧密码作废，设备保持登录。', deletePerson: '删除', deleteTitle: '删除 {user}？', deleteText: '名字、资料、密码和设备将被永久抹去。', eraseToo: '同时抹去其所写的一切', deleteType: '输入 {user} 以继续',
  devices: '设备', devicesNone: '没有登录的设备。', signOut: '登出', deviceSince: '自 {date}', since: '自 {date}', setRole: '设为此角色', roleTitle: '将 {user} 设为{role}？',
  invite: '邀请', inviteText: '通过链接或二维码，让人们在此注册帐号。', inviteUses: '可用人数', inviteValid: '有效期', days: { other: '{n} 天' }, inviteAdmin: '注册后成为管理员', inviteMake: '生成链接', inviteQr: '链接的二维码', inviteLeft: { other: '还可供 {n} 人使用' }, until: '至 {date}', madeBy: '由 {user} 生成', operator: '运维者', revoke: '作废', invitationsNone: '目前没有可用的邀请。',
  groupMembers: '{n8} 位成员中 {here} 位在本域', groupHome: '由 {home} 保管', groupsNone: '还没有群。', gone: '已解散', unnamed: '未命名的群',
  domainsNone: '还没有其他域。第一条消息往来后会出现。', domain: '域', allowed: '已允许', denied: '已禁止', unset: '无规则', allow: '允许', deny: '禁止', clear: '取消规则', denyTitle: '禁止 {domain}？', denyText: '链路立即断开。在再次允许之前，不接收其内容，也不向其发送。', addDomain: '为某个域设定规则', state: '链路', lag: '待发送', lagN: { other: '{n} 项待发送' }, received: '已接收', next: '下次尝试', lastError: '最近错误', proof: '密钥证明方式', contact: '最近联系', acceptKey: '接受新密钥', acceptKeyText: '它的根密钥在没有证明的情况下改变了。仅在其所有者告知过你时才接受下一个。', never: '本节点启动以来未曾联系', refusalsN: { other: '被拒绝 {n} 次' },
  idle: '空闲', connected: '已连接', dialing: '连接中', backingOff: '等待重试', refused: '被拒绝', dormant: '无回应，偶尔重试', dead: '一个月无回应，已放弃', goneState: '已不复存在', deniedState: '已禁止', unknownState: '启动以来无往来',
  registration: '谁可以注册', closed: '不开放', invitation: '持有邀请者', openTo: '所有人', listed: '由枢纽公开列出', listedHint: '任何人都能在枢纽的页面上找到本域。', recallSeconds: '可撤回秒数', recallHint: '发送后多久之内可以撤回。', editSeconds: '可编辑秒数', editHint: '发送后多久之内可以编辑。', passwordMin: '新密码的最少字符数', passwordMinHint: '8 到 128；已有的密码不受影响。', groupCreation: '谁可以建群', everybody: '所有人', administrators: '管理员', federation: '其他域', federationOpen: '未被禁止的所有域', federationAllowed: '仅已允许的域', domainName: '域的名称', wrongNumber: '应为整数。',
  yes: '是', no: '否', auditNone: '还没有管理操作。', auditTo: '{act}：{whom}', byOperator: '运维者', byToken: '令牌 {name}', byGone: '帐号 {n8}（已删除）', whomGone: '帐号 {n8}（已删除）', change: '{field}：{before} → {after}', changeNew: '{field}：{after}',
  actAccountAdded: '添加人员', actPasswordReset: '重置密码', actDeviceSignedOut: '登出设备', actAccountDisabled: '停用人员', actAccountEnabled: '启用人员', actAccountDeleted: '删除人员', actRoleSet: '设置角色', actInvitationMade: '生成邀请', actInvitationRevoked: '作废邀请', actDomainRuleSet: '设定域的规则', actPolicySet: '更改策略', actTokenMade: '生成令牌', actTokenRevoked: '作废令牌', actKeysReplaced: '更换链路密钥', actCompacted: '收回空间', actBackupMade: '备份',
  actAccountUpdated: '更新人员', actSignInLinkMade: '生成登录链接', source: '来源', fromFile: '文件', absentFrom: '不再列于', fieldGroups: '群',
  importTitle: '导入人员', importElse: '换一个来源', importSkipThereN: { other: '有错误的 {n} 个条目不会导入；请在目录中更正后重新查看。' }, importFrom: '查看 {directory}', importDirectory: '或从设置文件中的目录导入。目录中的人用那里的密码登录，不需要链接。', importAll: '停用已不在目录中的人', importAllHint: '以前来自此目录、现在查不到的人将被停用。不会删除任何人，也不影响管理员。', importOpen: '导入', importText: 'CSV 或 XLSX 文件，须有“帐号”列，可有“外部编号”“姓名”“角色”“停用”“群”列。会先显示将要进行的更改，确认之前不做任何更改。', importChoose: '选择文件', importDrop: '或拖放到这里', importOther: '换一个文件', importTemplate: '下载模板', importEveryone: '文件包含所有人', importEveryoneHint: '以前由文件导入、但不在此文件中的人将被停用。不会删除任何人，也不影响管理员。', importReading: '正在读取 {file}…',
  importNothing: '文件中的一切都已如此。', importUnchangedN: { other: '{n} 行无需更改。' }, importIgnored: '未识别的列：{columns}', importErrors: '错误', importAdded: '新增', importChanged: '更新', importDisabled: '停用', importKept: '保留：有管理权', importSome: '{words} {n8}', importWhat: '显示内容', importRow: '行', importWho: '谁', importChange: '更改', importWhy: '问题', importNone: '无。',
  importNumber: '输入 {count} 以停用这么多人', importApplyN: { other: '执行 {n} 项更改' }, importSkipN: { other: '有错误的 {n} 行不会导入；改正后可再次导入此文件。' }, importRunning: '{done} / {total}', importDone: '完成', importDoneN: { other: '已执行 {n} 项更改。' }, importRefusedN: { other: '{n} 行被拒绝：' }, importAgain: '重新查看',
  importChanged2: '{column}：{before} → {after}', colExternalId: '外部编号', colAccount: '帐号', colDisplayName: '姓名', colRole: '角色', colDisabled: '停用', colGroups: '群',
  linksTitle: '登录链接', linksTextN: { other: '新增 {n} 人。他们可用各自的链接设置密码，每个链接只能用一次。' }, linksKept: '链接仅显示一小时，不会保存。持有链接的人可以此人的身份登录。', linksCsv: '下载 CSV', linksPrint: '打印二维码', linksNew: '为从未登录的人重新生成链接', linksNewText: '所有由文件导入、从未登录的人都会得到新链接，旧链接作废。', linksNobody: '所有人都已登录过。',
  print: '打印', printScan: '用相机扫描二维码，或打开链接。', signInLink: '登录链接', signInLinkText: '{user} 可用它登录一次并设置密码。之前的链接作废。',
  inviteGroups: '加入的群', inviteGroupsHint: '由本域保管、且你有权添加成员的群。', inviteInto: '加入 {groups}', invitePrint: '打印', invitePrintTitle: '加入 {domain}',
  tokensText: '程序可用令牌通过 API 进行管理：限于其权限范围，且其生成者须一直是管理员。', tokensNone: '没有令牌。', tokenMake: '生成令牌', tokenName: '用途', tokenScopes: '权限范围', tokenValid: '有效期', tokenOnce: '令牌，仅显示这一次。', tokenOver: '已失效', scopeRead: '查看一切', scopePeople: '人员与邀请', scopeDomains: '其他域', scopePolicies: '策略', scopeAll: '一切', tokenRevokeTitle: '作废“{name}”？',
  backupSize: '{size}，{records} 条记录', backupCheck: '校验', backupCheckedNow: '刚刚重新校验，完好', backupUnknown: '是否完好未知', backupAway: '请把备份复制到另一台机器：磁盘损坏时，同一磁盘上的备份也会丢失。', restore: '恢复…',
  restoreTitle: '恢复到{when}？', lossThisDevice: '此设备也在其中，你需要重新登录。', restoreType: '输入 {domain} 以继续', restoreGo: '恢复此备份', restoreCopying: '正在复制备份…', restoreReading: '正在重新校验每条记录…', restoreOpening: '正在打开…',
  restoreAgain: '节点正以此备份重新启动…', restoreStay: '在节点重新启动之前，大家可照常使用。关闭此页面不影响恢复。', restoreDone: '备份已恢复，共 {records} 条记录。', restoreKept: '原有的域数据已保留（{size}）。确认没有缺失后可将其删除。', restoreNot: '没有做任何更改，域仍是原来的样子。', restoreCut: '备份尚未准备好，节点就停止了。',
  restoreSignedOut: '备份已恢复。此设备是在备份之后登录的，请重新登录。', restoreGivenUp: '{since}请求的恢复已放弃，域仍是原来的样子。', lossCounting: '正在统计将失去的内容…', lossNothing: '此后没有发生任何事。', lossN: { other: '一切将回到当时的样子。{n} 条记录将失去，最早的一条在{since}。' }, lossAtLeast: '以下只统计了其中最早的一部分。',
  lossUncounted: '当前的域并非由此延续而来：其中没有的一切都会失去，且无法统计。', lossHereN: { other: '本域用户的 {n} 条消息与更改。他们的设备会重新提交（每台设备最近 2,000 条）。' }, lossElsewhereN: { other: '来自其他域的 {n} 条消息与更改，对方会重新发送。' }, lossPeopleN: { other: '此后新建的 {n} 个帐号将不复存在：{names}' }, lossDevicesN: { other: '此后登录的 {n} 台设备需要重新登录。' }, lossGroupsN: { other: '此后新建的 {n} 个群将不复存在。' },
  lossDeletedN: { other: '已删除的 {n} 个帐号会重新出现，请再次删除。' }, lossErasedN: { other: '已抹去的 {n} 段文字会重新出现。' }, lossDomains: '此后有往来的域：{names}', lossKept: '现有的域数据会保留在节点所在机器上，直到你将其删除。', lossSpace: '需要 {needed} 空间，剩余 {free}。', replaced: '被替换的域数据',
  replacedText: '恢复备份之前的域。没有人能读到它；其中有大家写过的内容和密钥。', replacedOn: '{when}被替换', replacedBy: '由 {user} 以 {from} 替换', replacedDelete: '删除被替换的数据？', replacedDeleteText: '将收回 {size}。只存在于其中的内容会永久消失。', actRestoreBegun: '开始恢复备份',
  actBackupRestored: '恢复备份', actReplacedDeleted: '删除被替换的数据', askedBy: '请求者', notInBackup: '备份之后才加入的人',
}

export default zh
