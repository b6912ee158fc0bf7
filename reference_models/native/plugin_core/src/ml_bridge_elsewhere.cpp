// MLBridge where there is neither Linux nor macOS: it says so.
#include <rtconform_plugin/ml_bridge.h>

namespace rtconform::plugin
{

struct MLBridge::Run
{
};

MLBridge::MLBridge(BridgeOptions, BridgeCallbacks) { }

MLBridge::~MLBridge() = default;

std::optional<std::string> MLBridge::start()
{
    return "training from the plugin isn't available on this system, which is neither Linux nor macOS; run the trainer "
           "from a command line, and copy what it exports into the folder that the plugin plays from";
}

void MLBridge::cancel() { }

BridgeStatus MLBridge::status() const
{
    return { BridgeState::idle, "" };
}

bool MLBridge::wait(std::chrono::milliseconds)
{
    return true;
}

std::vector<std::string> MLBridge::log() const
{
    return {};
}

} // namespace rtconform::plugin
