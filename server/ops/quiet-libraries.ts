// Express and ioredis write addresses and commands, with any token and password in them, to standard error for whoever sets
// DEBUG. They look for it when they are loaded, so this comes before them.
delete process.env['DEBUG'];
