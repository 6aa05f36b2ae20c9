// Where bytes go. They are copied or sent before write() returns.
#pragma once

#include <string_view>

namespace sluice::buffer {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual void write(std::string_view bytes) = 0;
};

}  // namespace sluice::buffer
