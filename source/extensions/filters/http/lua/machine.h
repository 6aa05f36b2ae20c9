// A LuaJIT state with one script: loaded once on each worker, with bounds on what a script may use.
//
// Nothing that a script does ends the process: whatever may run out of memory is called protected, and what calls in
// from outside leaves no values behind but by functions that the script's own side calls.
// Thread: the worker's (or main's, where a script is only tried).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct lua_State;
struct lua_Debug;

namespace sluice::extensions::http_filters::lua {

// Which of its two functions a script is asked for.
enum class Side : uint8_t { kRequest = 0, kResponse = 1 };

struct Limits {
  // Of one run (one message of a stream), counted in thousands. LuaJIT counts none in compiled traces, so the compiler
  // is off where this holds.
  uint64_t instructions = 10'000'000;
  // Between two waits of a run.
  std::chrono::milliseconds time{100};
  // Of one script on one worker, bytes.
  size_t memory = 64 * 1024 * 1024;
  // The script is ours: it is compiled, `instructions` and `time` do not hold, and it has all libraries of Lua.
  bool trusted = false;
};

class Run;

class Machine {
 public:
  // Takes lines that a script prints.
  using Print = std::function<void(std::string_view line)>;

  // `name` stands in errors. Null, and why in `error`, if the script does not load, or its main part fails.
  static std::unique_ptr<Machine> load(const std::string& code, const std::string& name, const Limits& limits,
                                       Print print, std::string& error);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // The script has envoy_on_request (envoy_on_response).
  bool has(Side side) const { return functions_[static_cast<size_t>(side)] != 0; }

  // A coroutine of the script.
  struct Thread {
    lua_State* state = nullptr;
    int reference = 0;
    bool begun = false;
  };
  // One that will call the function of `side`. False, and why in `error`, if there is no memory for it.
  bool makeThread(Side side, uint64_t run, Thread& thread, std::string& error);
  void releaseThread(Thread& thread);

  enum class Outcome : uint8_t { kDone, kWaits, kFailed };
  // Goes on with it until it waits, for what `run` says then, or ends.
  Outcome resume(Run& run, Thread& thread, std::string& error);

  // Whose coroutine runs; null outside of resume().
  Run* current() const { return current_; }
  uint64_t nextRun() { return ++last_run_; }
  void print(std::string_view line) const {
    if (print_) print_(line);
  }
  size_t used() const { return used_; }

  // Takes work of C from the run of a bounded script, as instructions. An error of the script beyond its bounds.
  void spend(lua_State* state, uint64_t steps);
  // An error of the script if calls of C inside of calls of C have come deep into the stack of the thread.
  void checkNesting(lua_State* state);

  const Limits& limits() const { return limits_; }

 private:
  Machine(const Limits& limits, Print print) : limits_(limits), print_(std::move(print)) {}
  bool open(const std::string& code, const std::string& name, std::string& error);
  void arm(std::chrono::steady_clock::time_point deadline);
  // How many instructions there are between two looks at the bounds.
  void setStep(int step);
  int stepNow() const;
  // The bound that is passed; null: none.
  const char* passed();
  // `level`: whose line stands in the error; 0: of the function that runs, 1: of the one that called it.
  void fail(lua_State* state, const char* bound, int level);
  void noteBlocks(size_t old_size, size_t size);
  // Takes back what no run can reach, if the bound is near. LuaJIT itself waits for twice what was left last time,
  // which may be beyond the bound, and does not try again before it says that there is no memory.
  void makeRoom();
  static void* allocate(void* self, void* block, size_t old_size, size_t size);
  static void count(lua_State* state, lua_Debug* event);

  const Limits limits_;
  const Print print_;
  size_t used_ = 0;
  size_t kept_ = 0;          // what was used behind the last makeRoom() that did something
  bool short_ = false;       // memory was refused since then
  bool collecting_ = false;  // the bound does not hold: what gives memory back needs some
  lua_State* state_ = nullptr;
  int functions_[2] = {0, 0};  // in the registry; 0: the script has none
  Run* current_ = nullptr;
  std::vector<Thread> idle_;  // coroutines of runs that are over, for others: they cost more than what most runs do
  uint64_t last_run_ = 0;
  // Of what runs now.
  uint64_t instructions_left_ = 0;
  std::chrono::steady_clock::time_point deadline_{};
  const char* stack_ = nullptr;  // of the thread, where it began
  int step_ = 0;                 // 0: nothing is counted
  uint64_t unlooked_ = 0;        // steps since the last look at the clock
  // How many large blocks the script holds, by the logarithm of their size.
  uint32_t blocks_[64] = {};
};

// Of code that a script called.
Machine& machineOf(lua_State* state);

}  // namespace sluice::extensions::http_filters::lua
