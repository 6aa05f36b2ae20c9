#!/usr/bin/env bash
# LuaJIT calls no hook in code that it has compiled: a count hook does not bound how long a script runs.
#
# debug.sethook(f, '', 1000), or lua_sethook with LUA_MASKCOUNT, is how programs that embed Lua stop scripts that run too long. In LuaJIT it
# works as long as code is interpreted. A loop that is hot gets compiled, and from there on nothing is counted, nothing is called, and no
# error says so. Who needs the bound has to turn the compiler off (jit.off(), -joff), at the price of its speed.
#
# Seen with Debian's luajit 2.1.0~beta3+git20220320+dfsg-4.1+deb12u1: 20 million turns of a loop are 0 calls with the compiler, 40000 without.
#
# Installs the packages into a temporary folder. Exits 0 while this is so.
set -euo pipefail
version=2.1.0~beta3+git20220320+dfsg-4.1+deb12u1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -q download "luajit=$version" >download.log 2>&1 || {
  cat download.log
  exit 1
}
dpkg -x ./luajit_*.deb root

cat >look.lua <<'LUA'
local calls, sum = 0, 0
debug.sethook(function() calls = calls + 1 end, '', 1000)
for i = 1, 2e7 do sum = sum + i end
debug.sethook()
print(calls)
LUA
compiled=$(root/usr/bin/luajit look.lua)
interpreted=$(root/usr/bin/luajit -joff look.lua)
echo "calls of the hook: $compiled with the compiler, $interpreted without"
((compiled == 0 && interpreted >= 20000))
