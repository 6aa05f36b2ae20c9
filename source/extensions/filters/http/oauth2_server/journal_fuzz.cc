#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/extensions/filters/http/oauth2_server/change_codec.h"
#include "source/extensions/filters/http/oauth2_server/journal.h"

// A whole file, and, as hardly any has right checksums, the same bytes as changes. What is read is the same when it is
// written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::extensions::http_filters::oauth2_server;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = readJournal(bytes, nullptr);
  if (file.ok() && file->size > size) std::abort();

  const ReadChanges read = readChanges(bytes, nullptr);
  if (read.failure != ReadFailure::kNone) return 0;
  std::string again;
  State state;
  for (const Change& change : read.changes) {
    appendChange(change, nullptr, again);
    state.apply(change);
  }
  std::string third;
  for (const Change& change : readChanges(again, nullptr).changes) appendChange(change, nullptr, third);
  if (again != third) std::abort();
  const auto written = readJournal(writeJournal(state, nullptr), nullptr);
  if (!written.ok() || written->state.changes().size() != state.changes().size()) std::abort();
  return 0;
}
