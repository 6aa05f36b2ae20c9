#include <iostream>

#include "source/server/options.h"
#include "source/server/server.h"

int main(int argc, char** argv) {
  namespace server = sluice::server;
  const server::ParsedOptions parsed = server::parseOptions(std::vector<std::string>(argv + 1, argv + argc));
  if (!parsed.options) {
    (parsed.error ? std::cerr : std::cout) << parsed.text;
    return parsed.error ? 2 : 0;
  }
  return parsed.options->validate ? server::validate(*parsed.options) : server::serve(*parsed.options);
}
