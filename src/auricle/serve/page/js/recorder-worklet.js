/** Runs in the audio thread: hands every block of the microphone's first channel to the page. */
class Recorder extends AudioWorkletProcessor {
  process(/** @type {Float32Array[][]} */ [[channel]]) {
    if (channel) this.port.postMessage(channel.slice());
    return true;
  }
}

registerProcessor("recorder", Recorder);
