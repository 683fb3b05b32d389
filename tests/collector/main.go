// An OpenTelemetry Collector for tests, of the collector's own packages: it takes traces over OTLP/HTTP and writes what it has
// got as lines of OTLP's JSON. The distributions of the collector are no modules that can be fetched by their names.
package main

import (
	"context"
	"log"
	"os"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

// Where the lines go.
type lines struct {
	Path string `mapstructure:"path"`
}

// Appends traces to a file.
type writer struct {
	lines
	mutex sync.Mutex
	file  *os.File
}

func (w *writer) Start(context.Context, component.Host) (err error) {
	w.file, err = os.OpenFile(w.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return err
}

func (w *writer) Shutdown(context.Context) error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

func (w *writer) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{}
}

func (w *writer) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	_, err = w.file.Write(append(line, '\n'))
	return err
}

func newWriter(_ context.Context, _ exporter.Settings, config component.Config) (exporter.Traces, error) {
	return &writer{lines: *config.(*lines)}, nil
}

func factories() (otelcol.Factories, error) {
	config := func() component.Config { return &lines{} }
	file := exporter.NewFactory(
		component.MustNewType("lines"), config, exporter.WithTraces(newWriter, component.StabilityLevelDevelopment),
	)
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](file)
	return otelcol.Factories{
		Receivers: receivers, Exporters: exporters, Telemetry: otelconftelemetry.NewFactory(),
	}, err
}

func main() {
	config := confmap.ResolverSettings{
		ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()}, DefaultScheme: "file",
	}
	settings := otelcol.CollectorSettings{
		BuildInfo:              component.BuildInfo{Command: "collector", Description: "OpenTelemetry Collector for tests"},
		Factories:              factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: config},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
