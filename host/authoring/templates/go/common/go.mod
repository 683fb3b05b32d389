module mcpplugin

go 1.25
