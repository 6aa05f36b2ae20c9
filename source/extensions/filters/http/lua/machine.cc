#include "source/extensions/filters/http/lua/machine.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <luajit-2.1/lua.hpp>
#include <utility>

#include "source/extensions/filters/http/lua/bindings.h"
#include "source/extensions/filters/http/lua/library.h"
#include "source/extensions/filters/http/lua/run.h"

namespace sluice::extensions::http_filters::lua {
namespace {

constexpr int kStep = 1000;  // instructions between two looks at the bounds, at most
// An instruction may go through all of a block: where a script holds large ones, looks are closer together.
constexpr size_t kLargeBlock = 64 * 1024;
// Only that it ends: what loads once is to load on each worker, however busy that is.
constexpr std::chrono::seconds kLoadTime{10};
// Of the stack of a thread. What LuaJIT itself lets calls of one coroutine take is 2 MiB.
constexpr ptrdiff_t kMostNested = 1024 * 1024;
constexpr size_t kIdleThreads = 8;
constexpr const char* kFunctions[] = {"envoy_on_request", "envoy_on_response"};

// What an untrusted script does not get: the file system, processes, code that is not source, and ways around this.
constexpr const char* kWithheld = R"(
for _, name in ipairs{'dofile', 'loadfile', 'load', 'loadstring', 'collectgarbage', 'gcinfo', 'newproxy', 'module',
                      'require', 'package', 'io', 'debug', 'jit', 'ffi'} do _G[name] = nil end
string.dump = nil
for _, name in ipairs{'execute', 'exit', 'remove', 'rename', 'tmpname', 'setlocale', 'getenv'} do os[name] = nil end

-- LuaJIT calls the handler of its own inside of the hook that raised the error, where no instruction is counted.
local call = pcall
local function settle(handler, good, ...)
  if good then return true, ... end
  local _, message = call(handler, ...)
  return false, message
end
function xpcall(f, handler, ...) return settle(handler, call(f, ...)) end
)";

std::string textOf(lua_State* state) {
  if (lua_type(state, -1) != LUA_TSTRING) return std::string("an error that is a ") + luaL_typename(state, -1);
  size_t size = 0;
  const char* text = lua_tolstring(state, -1, &size);
  return {text, size};
}

int openLibraries(lua_State* state) {
  const bool trusted = *static_cast<const bool*>(lua_touserdata(state, 1));
  luaL_openlibs(state);
  if (!trusted) {
    luaJIT_setmode(state, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    if (luaL_dostring(state, kWithheld) != 0) return lua_error(state);
    registerLibrary(state);
  } else if (luaL_dostring(state, "os.exit = nil") != 0) {
    return lua_error(state);
  }
  registerBindings(state);
  return 0;
}

struct ThreadRequest {
  int function;
  uint64_t run;
  Machine::Thread* thread;
};

int newThread(lua_State* state) {
  const ThreadRequest& request = *static_cast<const ThreadRequest*>(lua_touserdata(state, 1));
  Machine::Thread& thread = *request.thread;
  if (thread.state == nullptr) {
    lua_State* const made = lua_newthread(state);
    thread.reference = luaL_ref(state, LUA_REGISTRYINDEX);
    thread.state = made;
  }
  // The run before may have given the coroutine other globals: setfenv(0, ...).
  lua_pushvalue(state, LUA_GLOBALSINDEX);
  lua_xmove(state, thread.state, 1);
  lua_replace(thread.state, LUA_GLOBALSINDEX);
  lua_rawgeti(state, LUA_REGISTRYINDEX, request.function);
  pushObject(state, Kind::kHandle, request.run);
  lua_xmove(state, thread.state, 2);
  return 0;
}

}  // namespace

Machine& machineOf(lua_State* state) {
  void* self = nullptr;
  lua_getallocf(state, &self);
  return *static_cast<Machine*>(self);
}

void* Machine::allocate(void* self, void* block, size_t old_size, size_t size) {
  Machine& machine = *static_cast<Machine*>(self);
  if (block == nullptr) old_size = 0;
  if (size == 0) {
    machine.used_ -= old_size;
    machine.noteBlocks(old_size, 0);
    std::free(block);
    return nullptr;
  }
  if (size > old_size && machine.used_ - old_size + size > machine.limits_.memory && !machine.collecting_) {
    machine.short_ = true;
    return nullptr;
  }
  void* const moved = std::realloc(block, size);
  if (moved == nullptr) return nullptr;
  machine.used_ += size - old_size;
  machine.noteBlocks(old_size, size);
  return moved;
}

void Machine::noteBlocks(size_t old_size, size_t size) {
  if (std::max(old_size, size) < kLargeBlock) return;
  if (old_size >= kLargeBlock) --blocks_[std::bit_width(old_size)];
  if (size < kLargeBlock) return;
  ++blocks_[std::bit_width(size)];
  // A longer one waits for the next look, or it might never come.
  const int step = stepNow();
  if (step >= step_) return;
  instructions_left_ -= std::min<uint64_t>(instructions_left_, step_);
  setStep(step);
}

int Machine::stepNow() const {
  size_t largest = std::size(blocks_) - 1;
  while (largest > 0 && blocks_[largest] == 0) --largest;
  return largest == 0 ? kStep : std::max<int>(1, kStep >> (largest - std::bit_width(kLargeBlock) + 1));
}

void Machine::setStep(int step) {
  step_ = step;
  lua_sethook(state_, count, LUA_MASKCOUNT, step);
}

void Machine::count(lua_State* state, lua_Debug*) {
  Machine& machine = machineOf(state);
  machine.instructions_left_ -= std::min<uint64_t>(machine.instructions_left_, machine.step_);
  if (const char* const bound = machine.passed()) machine.fail(state, bound, 0);
  if (const int step = machine.stepNow(); step != machine.step_) machine.setStep(step);
}

void Machine::spend(lua_State* state, uint64_t steps) {
  if (limits_.trusted) return;
  instructions_left_ -= std::min(instructions_left_, steps);
  unlooked_ += steps;
  if (instructions_left_ > 0 && unlooked_ < kStep) return;
  if (const char* const bound = passed()) fail(state, bound, 1);
}

const char* Machine::passed() {
  unlooked_ = 0;
  if (instructions_left_ == 0) return "too many instructions";
  return std::chrono::steady_clock::now() >= deadline_ ? "too much time" : nullptr;
}

// Once the bound is passed each further instruction fails, so no pcall of the script can go on.
void Machine::fail(lua_State* state, const char* bound, int level) {
  setStep(1);
  luaL_where(state, level);
  lua_pushfstring(state, "the script took %s", bound);
  lua_concat(state, 2);
  lua_error(state);
}

void Machine::checkNesting(lua_State* state) {
  if (stack_ - static_cast<const char*>(__builtin_frame_address(0)) > kMostNested) {
    luaL_error(state, "stack overflow: too many calls of C inside of calls of C");
  }
}

void Machine::arm(std::chrono::steady_clock::time_point deadline) {
  if (limits_.trusted) return;
  deadline_ = deadline;
  unlooked_ = 0;
  stack_ = static_cast<const char*>(__builtin_frame_address(0));
  setStep(stepNow());
}

void Machine::makeRoom() {
  const size_t room = limits_.memory - std::min(limits_.memory, kept_);
  if (current_ != nullptr || (!short_ && used_ <= kept_ + room / 2)) return;
  const auto collect = [](lua_State* state) {
    lua_gc(state, LUA_GCCOLLECT, 0);
    return 0;
  };
  collecting_ = true;
  if (lua_cpcall(state_, collect, nullptr) != 0) lua_settop(state_, 0);  // a finalizer of a trusted script
  collecting_ = false;
  short_ = false;
  kept_ = used_;
}

std::unique_ptr<Machine> Machine::load(const std::string& code, const std::string& name, const Limits& limits,
                                       Print print, std::string& error) {
  std::unique_ptr<Machine> machine(new Machine(limits, std::move(print)));
  if (!machine->open(code, name, error)) return nullptr;
  return machine;
}

Machine::~Machine() {
  if (state_ != nullptr) lua_close(state_);
}

bool Machine::open(const std::string& code, const std::string& name, std::string& error) {
  state_ = lua_newstate(allocate, this);
  if (state_ == nullptr) {
    error = "there is no memory for it";
    return false;
  }
  bool trusted = limits_.trusted;
  instructions_left_ = limits_.instructions;
  const std::string chunk = "=" + name;
  if (lua_cpcall(state_, openLibraries, &trusted) != 0 ||
      // Bytecode is believed by LuaJIT, and could do anything.
      luaL_loadbufferx(state_, code.data(), code.size(), chunk.c_str(), trusted ? nullptr : "t") != 0) {
    error = textOf(state_);
    return false;
  }
  arm(std::chrono::steady_clock::now() + kLoadTime);
  if (lua_pcall(state_, 0, 0, 0) != 0) {
    error = textOf(state_);
    return false;
  }
  const auto keep = [](lua_State* state) {
    auto* const references = static_cast<int*>(lua_touserdata(state, 1));
    // The first of all references that is given back needs memory; those that come are given back unprotected.
    lua_pushboolean(state, 1);
    luaL_unref(state, LUA_REGISTRYINDEX, luaL_ref(state, LUA_REGISTRYINDEX));
    for (const size_t side : {0, 1}) {
      lua_getglobal(state, kFunctions[side]);
      if (lua_isfunction(state, -1)) references[side] = luaL_ref(state, LUA_REGISTRYINDEX);
      lua_settop(state, 1);
    }
    return 0;
  };
  if (lua_cpcall(state_, keep, functions_) == 0) return true;
  error = textOf(state_);
  return false;
}

bool Machine::makeThread(Side side, uint64_t run, Thread& thread, std::string& error) {
  makeRoom();
  if (!idle_.empty()) {
    thread = idle_.back();
    idle_.pop_back();
  }
  ThreadRequest request{functions_[static_cast<size_t>(side)], run, &thread};
  if (lua_cpcall(state_, newThread, &request) == 0) return true;
  error = textOf(state_);
  lua_settop(state_, 0);
  return false;
}

void Machine::releaseThread(Thread& thread) {
  if (thread.state == nullptr) return;
  const bool ended = current_ == nullptr && lua_status(thread.state) == 0;
  if (ended && idle_.size() < kIdleThreads) {
    lua_settop(thread.state, 0);
    idle_.push_back({thread.state, thread.reference, false});
  } else {
    luaL_unref(state_, LUA_REGISTRYINDEX, thread.reference);
  }
  thread = {};
}

Machine::Outcome Machine::resume(Run& run, Thread& thread, std::string& error) {
  // Another run of the script may have kept the coroutine, and gone on with it.
  if (thread.begun && lua_status(thread.state) != LUA_YIELD) {
    error = "the coroutine was ended by another run of the script";
    return Outcome::kFailed;
  }
  makeRoom();
  Run* const before = std::exchange(current_, &run);
  instructions_left_ = limits_.instructions - std::min(limits_.instructions, run.instructions_used);
  arm(std::chrono::steady_clock::now() + limits_.time);  // the loop's time stands still while a script runs
  const uint64_t had = instructions_left_;
  const int status = lua_resume(thread.state, thread.begun ? 0 : 1);
  thread.begun = true;
  run.instructions_used += had - instructions_left_;
  current_ = before;
  if (status == LUA_YIELD) return Outcome::kWaits;
  if (status == 0) return Outcome::kDone;
  error = textOf(thread.state);
  return Outcome::kFailed;
}

}  // namespace sluice::extensions::http_filters::lua
