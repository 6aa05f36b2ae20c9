// Any text is compiled or refused, and what was compiled is evaluated within its bounds, twice to the same value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/match/cel/program.h"
#include "source/match/cel/test_source.h"

namespace {

using namespace sluice::match::cel;

std::string evaluated(const Program& program) {
  const TestSource source;
  Memory memory(1 << 16, 5'000);
  return show(program.evaluate(source, memory), memory).substr(0, 4096);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto program = Program::compile(text, kTestVocabulary);
  if (!program.ok()) return 0;
  if (evaluated(**program) != evaluated(**program)) std::abort();
  return 0;
}
